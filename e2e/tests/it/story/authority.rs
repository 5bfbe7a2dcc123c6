//! The authority that vouches for the databases and for the public address, and servers with its certificates.

use std::path::{Path, PathBuf};

use local_stack::account::Account;
use local_stack::testing::NativeServer;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};
use tempfile::TempDir;

/// An authority with a folder for what it signs.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    dir: TempDir,
}

/// A certificate with its key, as PEM.
pub(super) struct Identity {
    pub(super) certificate: String,
    pub(super) key: String,
}

impl Authority {
    pub(super) fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("pgapp-story-").tempdir().expect("a folder");
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        // With the name that every certificate gets by default, each would look like its own authority.
        params.distinguished_name.push(DnType::CommonName, "authority of the story");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let root = params.self_signed(&key).expect("a certificate").pem();
        std::fs::write(dir.path().join("root.crt"), root).expect("a file");
        hand_over(dir.path(), 0o755);
        Self { issuer: Issuer::new(params, key), dir }
    }

    /// The file with its own certificate.
    pub(super) fn file(&self) -> PathBuf {
        self.dir.path().join("root.crt")
    }

    /// Signs a certificate for these names.
    pub(super) fn identity(&self, names: &[&str]) -> Identity {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.subject_alt_names =
            names.iter().map(|it| SanType::DnsName((*it).try_into().expect("a name"))).collect();
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate").pem();
        Identity { certificate, key: key.serialize_pem() }
    }

    /// A database server under these names, with TLS.
    pub(super) async fn database(&self, names: &[&str]) -> NativeServer {
        let Identity { certificate, key } = self.identity(names);
        let name = names[0];
        let write = |suffix: &str, text: &str, mode| {
            let path = self.dir.path().join(format!("{name}.{suffix}"));
            std::fs::write(&path, text).expect("a file");
            hand_over(&path, mode);
            path.to_str().expect("a path of text").to_owned()
        };
        NativeServer::builder()
            .setting("ssl", "on")
            .setting("ssl_cert_file", &write("crt", &certificate, 0o644))
            .setting("ssl_key_file", &write("key", &key, 0o600))
            .start()
            .await
            .expect("a server")
    }
}

/// Gives a file to the account that servers run as.
fn hand_over(path: &Path, mode: u32) {
    use std::os::unix::fs::{PermissionsExt as _, chown};
    if let Some(Account::Other { uid, gid, .. }) = Account::for_servers() {
        chown(path, Some(uid), Some(gid)).expect("the owner");
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("the mode");
}
