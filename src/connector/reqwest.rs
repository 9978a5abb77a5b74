//! [`Resolver`] as reqwest's resolver.

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::name_service::lookup_host;
use crate::Resolver;
use crate::happy_eyeballs::AddressCollector;

/// For `reqwest::ClientBuilder::dns_resolver(resolver)`.
///
/// reqwest has its own connector and does not take another in its place, so nothing is raced while
/// the lookup runs. Within that limit, the addresses come in the order of RFC 6724, and once the
/// first has arrived, the others are waited for no longer than the Resolution Delay (50 ms).
///
/// The feature `reqwest` follows reqwest's major version, 0.13.
///
/// An [`AddressPolicy`](crate::resolve::AddressPolicy) of the resolver covers names alone. reqwest
/// dials an IP literal without a resolver, and takes a proxy from the environment, which looks
/// names up by itself: with a policy, turn proxies off (`no_proxy`), and
/// [`check`](crate::resolve::AddressPolicy::check) the literals of each URL and, in a
/// `redirect::Policy`, of each redirect.
///
/// ```
/// use outrace::Resolver;
///
/// # fn main() -> Result<(), reqwest::Error> {
/// let client = reqwest::Client::builder().dns_resolver(Resolver::system()).build()?;
/// # let _ = client;
/// # Ok(())
/// # }
/// ```
impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let addresses = AddressCollector::new(lookup_host(self, name.as_str()));
        Box::pin(async move {
            let addresses: Addrs = Box::new(addresses.await?.into_iter());
            Ok(addresses)
        })
    }
}
