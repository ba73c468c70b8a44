//! Addresses and networks, as they stand in settings.

use std::fmt;
use std::net::IpAddr;

/// An address, or all those that begin like it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    /// Bits that count.
    prefix: u8,
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.prefix == bits(self.address) {
            true => write!(f, "{}", self.address),
            false => write!(f, "{}/{}", self.address, self.prefix),
        }
    }
}

impl Network {
    /// For the settings.
    pub fn read(text: &str) -> Result<Network, String> {
        network(text)
    }

    pub fn has(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && first_of(address, self.prefix) == self.address
    }
}

impl std::str::FromStr for Network {
    type Err = String;

    /// From `ADDRESS` or `ADDRESS/PREFIX`.
    fn from_str(text: &str) -> Result<Network, String> {
        network(text)
    }
}

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// `ADDRESS` or `ADDRESS/PREFIX`.
fn network(text: &str) -> Result<Network, String> {
    let no_network = || format!("`{text}` is no address or network");
    let Some((address, prefix)) = text.split_once('/') else {
        // rsyncd sees a client of IPv4 as such, however the socket does.
        let address: IpAddr = text.parse().map_err(|_| no_network())?;
        let address = address.to_canonical();
        return Ok(Network { address, prefix: bits(address) });
    };
    let address: IpAddr = address.parse().map_err(|_| no_network())?;
    let is_number = !prefix.is_empty() && prefix.bytes().all(|b| b.is_ascii_digit());
    let prefix = prefix.parse().ok().filter(|prefix| is_number && *prefix <= bits(address)).ok_or_else(no_network)?;
    if prefix == 0 {
        return Err(format!("`{text}` is everybody; name who is meant"));
    }
    let first = first_of(address, prefix);
    if first != address {
        return Err(format!("`{text}` is no network; one begins at `{first}/{prefix}`, or leave `/{prefix}` out"));
    }
    Ok(Network { address, prefix })
}

/// The first address of the network that an address is in.
fn first_of(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => IpAddr::V4((v4.to_bits() & u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)).into()),
        IpAddr::V6(v6) => {
            IpAddr::V6((v6.to_bits() & u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0)).into())
        }
    }
}

/// The part of an address that is one client, as [`client`] has it.
pub type Client = [u8; 8];

/// Of IPv6, the network of 64 bits, which is what one household or one phone has; IPv4 is kept apart from all networks that are
/// routed, in ::/64.
pub fn client(address: IpAddr) -> Client {
    match address.to_canonical() {
        IpAddr::V4(four) => {
            let [a, b, c, d] = four.octets();
            [0, 0, 0, 0, a, b, c, d]
        }
        IpAddr::V6(six) => {
            let [a, b, c, d, e, f, g, h, ..] = six.octets();
            [a, b, c, d, e, f, g, h]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_have_their_addresses() {
        for (network, address, has) in [
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.0/24", "::ffff:192.0.2.1", true),
            ("192.0.2.0/24", "192.0.3.0", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "192.0.2.1", false),
            ("::1", "::1", true),
        ] {
            let network: Network = network.parse().unwrap();
            assert_eq!(network.has(address.parse().unwrap()), has, "{network} {address}");
        }
        for wrong in ["", "a", "192.0.2.1/24", "0.0.0.0/0", "192.0.2.0/33", "::/129", "192.0.2.0/+8"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }
}
