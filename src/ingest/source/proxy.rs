//! Which proxy leads to a server: what the usual environment variables say, as curl(1) reads them. Pure.

use std::net::IpAddr;

use super::address::Origin;

/// What the environment says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    pub clear: Option<String>,
    pub secure: Option<String>,
    except: Vec<Exception>,
}

/// Who is spoken to without a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Exception {
    Everybody,
    /// The host and all below it.
    Host {
        host: String,
        port: Option<u16>,
    },
    Net {
        net: IpAddr,
        bits: u32,
    },
}

impl Proxies {
    /// From `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`, of which the lower case counts where there are both.
    pub fn of(var: impl Fn(&str) -> Option<String>) -> Proxies {
        let either = |name: &str| {
            let found = var(name).or_else(|| var(&name.to_ascii_uppercase()));
            found.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
        };
        let all = either("all_proxy");
        let except = either("no_proxy").unwrap_or_default();
        Proxies {
            clear: either("http_proxy").or_else(|| all.clone()),
            secure: either("https_proxy").or(all),
            except: except.split([',', ' ']).filter_map(|item| Exception::read(item.trim())).collect(),
        }
    }

    /// The proxy that leads to this origin, if one does.
    pub fn to(&self, origin: &Origin) -> Option<&str> {
        let proxy = if origin.is_secure { &self.secure } else { &self.clear };
        proxy.as_deref().filter(|_| !self.except.iter().any(|exception| exception.holds(origin)))
    }
}

impl Exception {
    fn read(text: &str) -> Option<Exception> {
        let text = text.to_ascii_lowercase();
        if text == "*" {
            return Some(Exception::Everybody);
        }
        if let Some((net, bits)) = text.split_once('/') {
            return Some(Exception::Net { net: net.parse().ok()?, bits: bits.parse().ok()? });
        }
        let bare = text.strip_prefix("*.").or(text.strip_prefix('.')).unwrap_or(&text);
        // An IPv6 address has colons of its own.
        let (host, port) = match bare.rsplit_once(':') {
            Some((host, port)) if bare.parse::<IpAddr>().is_err() => (host, Some(port.parse().ok()?)),
            _ => (bare, None),
        };
        (!host.is_empty()).then(|| Exception::Host { host: without_brackets(host).to_owned(), port })
    }

    fn holds(&self, origin: &Origin) -> bool {
        let of = without_brackets(&origin.host);
        match self {
            Exception::Everybody => true,
            Exception::Host { host, port } => {
                let is_below = || of.strip_suffix(host.as_str()).is_some_and(|rest| rest.ends_with('.'));
                port.is_none_or(|port| port == origin.port) && (of == host || is_below())
            }
            Exception::Net { net, bits } => of.parse().is_ok_and(|address| is_in(address, *net, *bits)),
        }
    }
}

fn without_brackets(host: &str) -> &str {
    host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host)
}

fn is_in(address: IpAddr, net: IpAddr, bits: u32) -> bool {
    match (address, net) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            bits <= 32 && (a.to_bits() ^ b.to_bits()).checked_shr(32 - bits).unwrap_or(0) == 0
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => {
            bits <= 128 && (a.to_bits() ^ b.to_bits()).checked_shr(128 - bits).unwrap_or(0) == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::source::address::Address;

    fn to(env: &[(&str, &str)], url: &str) -> Option<String> {
        let var = |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        Proxies::of(var).to(&Address::parse(url).unwrap().origin()).map(str::to_owned)
    }

    #[test]
    fn each_scheme_has_its_own_and_the_rest_is_for_all() {
        let env = [("http_proxy", "http://c"), ("HTTPS_PROXY", "http://s"), ("ALL_PROXY", "http://a")];
        assert_eq!(to(&env, "http://x/").as_deref(), Some("http://c"));
        assert_eq!(to(&env, "https://x/").as_deref(), Some("http://s"));
        assert_eq!(to(&env[2..], "https://x/").as_deref(), Some("http://a"));
        assert_eq!(to(&[], "https://x/"), None);
        let both = [("https_proxy", "http://l"), ("HTTPS_PROXY", "http://u")];
        assert_eq!(to(&both, "https://x/").as_deref(), Some("http://l"));
        let empty = [("https_proxy", ""), ("ALL_PROXY", "http://a")];
        assert_eq!(to(&empty, "https://x/").as_deref(), Some("http://a"));
    }

    #[test]
    fn exceptions_are_hosts_with_all_below_them_and_networks() {
        let is_direct = |except: &str, url: &str| to(&[("all_proxy", "http://a"), ("NO_PROXY", except)], url).is_none();
        for (except, url) in [
            ("*", "https://x/"),
            ("prep.example", "https://prep.example/"),
            ("prep.example", "https://www.PREP.example/"),
            ("a, .prep.example ,b", "https://www.prep.example/"),
            ("*.prep.example", "https://www.prep.example/"),
            ("prep.example:8443", "https://prep.example:8443/"),
            ("127.0.0.1", "http://127.0.0.1:8080/"),
            ("10.0.0.0/8", "http://10.200.3.4/"),
            ("0.0.0.0/0", "http://1.2.3.4/"),
            ("::1", "http://[::1]:80/"),
            ("[::1]:81", "http://[::1]:81/"),
            ("fd00::/8", "http://[fd12::1]/"),
        ] {
            assert!(is_direct(except, url), "{except} {url}");
        }
        for (except, url) in [
            ("", "https://x/"),
            (",", "https://x/"),
            ("prep.example", "https://evilprep.example/"),
            ("prep.example", "https://prep.example.evil/"),
            ("prep.example:8443", "https://prep.example/"),
            ("10.0.0.0/8", "http://11.0.0.1/"),
            ("10.0.0.0/8", "http://10.evil/"),
            ("10.0.0.0/99", "http://10.0.0.1/"),
            ("fd00::/8", "http://[fe12::1]/"),
        ] {
            assert!(!is_direct(except, url), "{except} {url}");
        }
    }
}
