//! tonic over TLS, and a certificate authority of one's own: tonic wraps the connector.

use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Error};

pub async fn connect(
    resolver: outrace::Resolver,
    authority: Certificate,
    uri: String,
) -> Result<Channel, Error> {
    let connector = outrace::Connector::with_resolver(resolver).enforce_http(false);
    let tls = ClientTlsConfig::new().ca_certificate(authority);
    Endpoint::from_shared(uri)?.tls_config(tls)?.connect_with_connector(connector).await
}
