//! TLS settings of connections that are no call of the SDK: a tunnel's web socket, a database, a signed request.

use std::{path::PathBuf, sync::Arc};

use rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer, pki_types::pem::PemObject};

/// Whose certificates are believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Roots {
    /// The authorities that this machine knows.
    System,
    /// Those of a file, in PEM.
    File(PathBuf),
}

/// A client that checks certificates and host names.
///
/// # Errors
/// When no authority can be read.
pub fn client_config(roots: &Roots) -> Result<ClientConfig, String> {
    let mut store = RootCertStore::empty();
    match roots {
        Roots::System => {
            let found = rustls_native_certs::load_native_certs();
            store.add_parsable_certificates(found.certs);
            if store.is_empty() {
                return Err("this machine has no certificates of authorities (Debian: apt-get install ca-certificates)".into());
            }
        }
        Roots::File(path) => {
            let read = || -> Result<Vec<CertificateDer<'static>>, rustls::pki_types::pem::Error> {
                CertificateDer::pem_file_iter(path)?.collect()
            };
            let certificates = read().map_err(|it| format!("read {}: {it}", path.display()))?;
            store.add_parsable_certificates(certificates);
            if store.is_empty() {
                return Err(format!("{} has no certificate in it", path.display()));
            }
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|it| it.to_string())?
        .with_root_certificates(store)
        .with_no_client_auth())
}
