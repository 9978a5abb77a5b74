//! ureq 3: takes a resolver, and dials one address after the other, in the order in which the
//! answers came. It blocks its thread, and needs no runtime.

use std::io;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Error};

#[derive(Debug)]
struct Dns(outrace::Resolver);

impl Resolver for Dns {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(Error::HostNotFound);
        };
        let target = DefaultResolver::host_and_port(scheme, authority);
        let options = outrace::LookupOptions::new().timeout(*timeout.after);
        let results = self.0.lookup_with(target.ok_or(Error::HostNotFound)?, &options);
        let found = results.into_blocking_iter().into_addrs().map_err(io::Error::from)?;
        let mut addrs = self.empty();
        let family = config.ip_family();
        family.keep_wanted(found.into_iter()).take(16).for_each(|addr| addrs.push(addr));
        if addrs.is_empty() { Err(Error::HostNotFound) } else { Ok(addrs) }
    }
}

pub fn get(resolver: outrace::Resolver, url: &str) -> Result<String, Error> {
    let config = Config::default();
    let agent = Agent::with_parts(config, DefaultConnector::default(), Dns(resolver));
    agent.get(url).call()?.body_mut().read_to_string()
}
