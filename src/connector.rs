//! [`Connector`]: for hyper-util, hyper-rustls, tonic and tower.

/// A tower `Service<Uri>` that races connects.
#[derive(Clone, Debug)]
pub struct Connector {}
