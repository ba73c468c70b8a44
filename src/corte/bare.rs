//! A bare tree on its way to a `Verified`: all that the authority sent is its site, so `corte.json` and `SHA256SUMS` are
//! made here, of its stamp and of what was hashed.

use bytes::Bytes;
use jiff::Timestamp;

use super::Verified;
use super::sums::Sums;
use super::{
    Announced, Corte, Expectations, File, Preamble, Refusal, Signers, Stamp, StampRule, Tipo, Trust, Unverified,
};
use crate::base::digest::Digest;

/// A bare tree that was read within limits, its paths checked, every file hashed. Made by `read_bare`.
#[derive(Clone, Debug)]
pub struct Bare<B = Bytes> {
    /// Sorted by path.
    pub(super) files: Vec<File<B>>,
}

/// What a bare tree does not say of itself.
#[derive(Clone, Debug)]
pub struct About {
    pub eleccion: String,
    pub tipo: Tipo,
    /// 0, or the number of the correction: a site has no way to say that it corrects what it published under the same
    /// stamp. The same tree, stamp and revision always give the same `SHA256SUMS`.
    pub revision: u32,
    /// The clock: the corte must not be ahead of it.
    pub now: Timestamp,
}

impl<B> Bare<B> {
    /// Sorted by path.
    pub fn files(&self) -> &[File<B>] {
        &self.files
    }
}

impl<B: AsRef<[u8]>> Bare<B> {
    /// The stamp that the rule finds.
    pub fn find(&self, rule: &StampRule) -> Result<Stamp, Refusal> {
        let files: Vec<(&str, &[u8])> = self.files.iter().map(|file| (&*file.path, file.bytes.as_ref())).collect();
        rule.find(&files)
    }

    /// What the package made of it would say it is: to be compared with what is live, before a revision is chosen.
    pub fn announce(&self, rule: &StampRule, about: &About) -> Result<Announced, Refusal> {
        self.preamble(rule, about)?.check(&expected(about, &Signers::none()))
    }

    /// Finds the stamp, makes `corte.json` and `SHA256SUMS`, and has both verified with all the rest as a package's are:
    /// the stamp may be ahead of the clock, a path too long for a package.
    pub fn stamp(self, rule: &StampRule, about: &About) -> Result<Verified<B>, Refusal> {
        let preamble = self.preamble(rule, about)?;
        let package = Unverified { preamble, files: self.files, extra: vec![] };
        package.verify(&expected(about, &Signers::none()))
    }

    fn preamble(&self, rule: &StampRule, about: &About) -> Result<Preamble, Refusal> {
        let stamp = self.find(rule)?;
        let corte = Corte {
            eleccion: about.eleccion.clone(),
            id: stamp.id(about.revision),
            fecha_hora: stamp.fecha_hora(),
            instant: stamp.instant,
            tipo: about.tipo,
            is_final: false,
            actas: None,
        };
        let corte_json = Bytes::from(corte.to_json());
        let files = self.files.iter().map(|file| (file.path.clone(), file.digest)).collect();
        let sums = Sums { corte_json: Some(Digest::of(&corte_json)), files };
        Ok(Preamble { corte_json: Some(corte_json), sums: Some(sums.text().into()), signature: None })
    }
}

fn expected<'s>(about: &About, nobody: &'s Signers) -> Expectations<'s> {
    Expectations {
        trust: Trust::Transport,
        eleccion: Some(about.eleccion.clone()),
        tipo: Some(about.tipo),
        signers: nobody,
        identity: None,
        now: about.now,
    }
}
