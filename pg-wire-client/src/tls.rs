//! TLS to the database, with libpq's meaning of `sslmode`.
//!
//! Owns certificates and their verification; what is negotiated when is `connect`'s.

mod verify;

use std::io;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::digest;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{
    CertificateDer, CertificateRevocationListDer, PrivateKeyDer, ServerName, TrustAnchor,
};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use x509_cert::der::Decode;
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::der::oid::db::rfc5912;

use crate::conninfo::{RootCert, SslMode, SslNegotiation, SslOptions};
use verify::{Check, Verifier};

/// Why TLS could not be set up on our side.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// `verify-ca` and `verify-full` need something to verify against.
    #[error(
        "root certificate file \"{0}\" does not exist\nEither provide the file, use the system's trusted roots with sslrootcert=system, or change sslmode to disable server certificate verification."
    )]
    NoRootFile(String),
    /// The operating system trusts nobody.
    #[error("could not load the system's root certificates: {0}")]
    NoSystemRoots(String),
    /// A file is unreadable or not what it should be.
    #[error("could not read {what} file \"{path}\": {reason}")]
    File {
        /// Kind of file.
        what: &'static str,
        /// Its path.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// A certificate without its key proves nothing.
    #[error("certificate present, but not private key file \"{0}\"")]
    NoKey(String),
    /// Others could take the key.
    #[error(
        "private key file \"{0}\" has group or world access; file must have permissions u=rw (0600) or less if owned by the current user, or permissions u=rw,g=r (0640) or less if owned by root"
    )]
    OpenKey(String),
    /// Anything else that the TLS library refuses.
    #[error("could not set up TLS: {0}")]
    Setup(String),
}

/// Performs the handshake on a connection that both sides agreed to encrypt.
///
/// `host` is the name the server has to prove where names are verified.
pub(crate) async fn handshake(
    stream: TcpStream,
    host: &str,
    config: Arc<ClientConfig>,
) -> io::Result<TlsStream<TcpStream>> {
    // The verifier compares names itself, as libpq does, so that a name unfit for TLS only costs SNI.
    let name = ServerName::try_from(host.to_owned())
        .unwrap_or_else(|_| ServerName::IpAddress(std::net::Ipv4Addr::UNSPECIFIED.into()));
    TlsConnector::from(config).connect(name, stream).await
}

/// Reads the files that `options` name and prepares handshakes with one host.
pub(crate) fn client_config(options: &SslOptions, host: &str) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = Arc::new(verifier(options, host, &provider)?);
    let versions: &[&rustls::SupportedProtocolVersion] = if options.min_tls13 {
        &[&rustls::version::TLS13]
    } else if options.max_tls12 {
        &[&rustls::version::TLS12]
    } else {
        rustls::ALL_VERSIONS
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(|error| TlsError::Setup(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match client_identity(options)? {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => {
            builder.with_client_auth_cert(chain, key).map_err(|error| TlsError::Setup(error.to_string()))?
        }
    };
    config.enable_sni = options.sni;
    if options.negotiation == SslNegotiation::Direct {
        // The server tells this protocol from others on the same port by it, and demands it.
        config.alpn_protocols = vec![b"postgresql".to_vec()];
    }
    Ok(config)
}

fn verifier(options: &SslOptions, host: &str, provider: &Arc<CryptoProvider>) -> Result<Verifier, TlsError> {
    let roots = match &options.root_cert {
        Some(RootCert::System) => {
            let found = rustls_native_certs::load_native_certs();
            if found.certs.is_empty() {
                let reasons: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
                return Err(TlsError::NoSystemRoots(reasons.join("; ")));
            }
            found.certs
        }
        Some(RootCert::Public(files)) => {
            let read: Result<Vec<_>, _> =
                files.iter().map(|it| certificates("root certificate", it)).collect();
            read?.concat()
        }
        Some(RootCert::File(path)) if path.exists() => certificates("root certificate", path)?,
        Some(RootCert::File(path)) if options.mode >= SslMode::VerifyCa => {
            return Err(TlsError::NoRootFile(path.display().to_string()));
        }
        None if options.mode >= SslMode::VerifyCa => {
            return Err(TlsError::NoRootFile("~/.postgresql/root.crt".into()));
        }
        _ => Vec::new(),
    };
    let carried: &[TrustAnchor<'_>] = match &options.root_cert {
        Some(RootCert::Public(_)) => webpki_roots::TLS_SERVER_ROOTS,
        _ => &[],
    };
    if roots.is_empty() && carried.is_empty() {
        return Ok(Verifier::new(Check::Nothing, host, None, roots, provider));
    }
    // A root certificate is verified against in every mode, which is what libpq does too.
    let check = if options.mode == SslMode::VerifyFull { Check::ChainAndName } else { Check::Chain };
    let mut store = RootCertStore { roots: carried.to_vec() };
    let (added, _) = store.add_parsable_certificates(roots.iter().cloned());
    if added == 0 && carried.is_empty() {
        return Err(TlsError::Setup("no root certificate is usable".into()));
    }
    let mut builder =
        rustls::client::WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider));
    if let Some((path, named)) = &options.crl
        && (*named || path.exists())
    {
        let lists: Result<Vec<_>, _> = CertificateRevocationListDer::pem_file_iter(path)
            .map_err(|error| unreadable("certificate revocation list", path, &error))?
            .collect();
        builder = builder
            .with_crls(lists.map_err(|error| unreadable("certificate revocation list", path, &error))?);
    }
    let chain = builder.build().map_err(|error| TlsError::Setup(error.to_string()))?;
    Ok(Verifier::new(check, host, Some(chain), roots, provider))
}

/// What we prove to the server: a certificate chain and its key, where there is one.
fn client_identity(
    options: &SslOptions,
) -> Result<Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>, TlsError> {
    let Some((cert, named)) = &options.cert else { return Ok(None) };
    if !named && !cert.exists() {
        return Ok(None);
    }
    let chain = certificates("certificate", cert)?;
    let Some(key) = options.key.as_deref().filter(|it| it.exists()) else {
        let missing = options.key.as_deref().map(|it| it.display().to_string());
        return Err(TlsError::NoKey(missing.unwrap_or_else(|| "~/.postgresql/postgresql.key".into())));
    };
    check_key_permissions(key)?;
    let parsed = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable("private key", key, &error))?;
    Ok(Some((chain, parsed)))
}

fn check_key_permissions(path: &Path) -> Result<(), TlsError> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(path).map_err(|error| unreadable("private key", path, &error))?;
    let forbidden = if metadata.uid() == 0 { 0o037 } else { 0o077 };
    match metadata.mode() & forbidden {
        0 => Ok(()),
        _ => Err(TlsError::OpenKey(path.display().to_string())),
    }
}

fn certificates(what: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).map_err(|error| unreadable(what, path, &error))?.collect();
    let found = found.map_err(|error| unreadable(what, path, &error))?;
    if found.is_empty() {
        return Err(unreadable(what, path, &"it holds no certificate"));
    }
    Ok(found)
}

fn unreadable(what: &'static str, path: &Path, reason: &dyn std::fmt::Display) -> TlsError {
    TlsError::File { what, path: path.display().to_string(), reason: reason.to_string() }
}

/// `tls-server-end-point` (RFC 5929): what SCRAM mixes in to prove that no third party sits between.
pub(crate) fn channel_binding(stream: &TlsStream<TcpStream>) -> Option<Vec<u8>> {
    let certificate = stream.get_ref().1.peer_certificates()?.first()?;
    let algorithm = x509_cert::Certificate::from_der(certificate).ok()?.signature_algorithm.oid;
    Some(digest::digest(end_point_digest(algorithm)?, certificate).as_ref().to_vec())
}

/// The hash of a signature algorithm; weak ones are replaced by SHA-256.
fn end_point_digest(algorithm: ObjectIdentifier) -> Option<&'static digest::Algorithm> {
    const MD5_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.4");
    const ECDSA_WITH_SHA_1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.1");
    match algorithm {
        MD5_WITH_RSA
        | ECDSA_WITH_SHA_1
        | rfc5912::SHA_1_WITH_RSA_ENCRYPTION
        | rfc5912::SHA_256_WITH_RSA_ENCRYPTION
        | rfc5912::ECDSA_WITH_SHA_256 => Some(&digest::SHA256),
        rfc5912::SHA_384_WITH_RSA_ENCRYPTION | rfc5912::ECDSA_WITH_SHA_384 => Some(&digest::SHA384),
        rfc5912::SHA_512_WITH_RSA_ENCRYPTION | rfc5912::ECDSA_WITH_SHA_512 => Some(&digest::SHA512),
        // Such as Ed25519, which defines no hash: SCRAM goes without channel binding then.
        _ => None,
    }
}
