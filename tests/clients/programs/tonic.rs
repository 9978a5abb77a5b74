//! tonic: takes a connector.

use tonic::transport::{Channel, Endpoint, Error};

pub async fn connect(resolver: outrace::Resolver, uri: String) -> Result<Channel, Error> {
    let connector = outrace::Connector::with_resolver(resolver);
    Endpoint::from_shared(uri)?.connect_with_connector(connector).await
}
