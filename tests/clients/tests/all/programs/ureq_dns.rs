//! ureq, a client for threads, with a resolver.

use outrace::Resolver;
use ureq::Agent;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{self, ResolvedSocketAddrs};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

#[derive(Debug)]
struct Dns(Resolver);

impl resolver::Resolver for Dns {
    fn resolve(
        &self,
        uri: &Uri,
        _: &Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let target = (uri.host().unwrap_or_default(), uri.port_u16().unwrap_or(80));
        let addrs = self.0.lookup(target).into_blocking_iter().into_addrs();
        let mut resolved = self.empty();
        let most = 16;
        for addr in addrs.map_err(std::io::Error::from)?.into_iter().take(most) {
            resolved.push(addr);
        }
        Ok(resolved)
    }
}

pub(super) fn get(resolver: &Resolver, url: &str) -> Result<String, ureq::Error> {
    let dns = Dns(resolver.clone());
    let agent = Agent::with_parts(Config::default(), DefaultConnector::default(), dns);
    agent.get(url).call()?.body_mut().read_to_string()
}
