//! The script of the host, run for real: on a loop device when this machine lets us, on a plain file otherwise.
//!
//! What belongs to AWS — the CLI, the metadata service, systemd of the host — is replaced by small programs on `PATH`. Disks,
//! file systems and mounts are real. Every run has a mount namespace and a root folder of its own, as a new host has; the
//! disk is what stays, as the volume does.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use infra_cfn::{Stack, Template, extract, resolve::Scope};
use tempfile::TempDir;

const INSTANCE: &str = "i-0aaaaaaaaaaaaaaaa";

fn script() -> String {
    let template = Template::parse(Stack::Compute.template_text()).unwrap();
    let mut scripts = extract::scripts(&Scope::new(&template, "app-compute")).unwrap();
    assert_eq!(scripts.len(), 1);
    scripts.remove(0).text
}

/// Stands in for the AWS command line. The volume's state is a file, so that a test can set and read it.
const FAKE_AWS: &str = r#"#!/bin/bash
echo "aws $*" >> "$FAKE_STATE/calls"
case "$1 $2" in
  "ec2 describe-volumes")
    # One line per answer; the last one is repeated.
    answer=$(head -n 1 "$FAKE_STATE/volume")
    if [ "$(wc -l < "$FAKE_STATE/volume")" -gt 1 ]; then sed -i 1d "$FAKE_STATE/volume"; fi
    # Last: the script does not wait for this program to end.
    echo "$answer" ;;
  "ec2 attach-volume")
    [ "$(cat "$FAKE_STATE/volume")" = "available None" ] || { echo "VolumeInUse" >&2; exit 254; }
    echo "in-use $INSTANCE" > "$FAKE_STATE/volume"
    ln -sf "$DISK" "$DISKS/nvme-Amazon_Elastic_Block_Store_vol0123456789abcdef0" ;;
esac
"#;

const FAKE_CURL: &str = r#"#!/bin/bash
case "$*" in
  *latest/api/token) echo token ;;
  *"X-aws-ec2-metadata-token: token"*/latest/meta-data/instance-id) echo "$INSTANCE" ;;
  *) exit 22 ;;
esac
"#;

/// Records that it was called.
const FAKE_RECORDER: &str = "#!/bin/bash\necho \"$(basename \"$0\") $*\" >> \"$FAKE_STATE/calls\"\n";

/// A disk that outlives hosts.
struct Disk {
    file: PathBuf,
    /// The loop device, when there is one.
    device: Option<String>,
    _dir: TempDir,
}

impl Disk {
    const MIB: u64 = 1024 * 1024;

    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("disk");
        fs::File::create(&file).unwrap().set_len(64 * Self::MIB).unwrap();
        Self { file, device: None, _dir: dir }
    }

    /// The same on a loop device; nothing where the machine has none for us.
    fn on_loop() -> Option<Self> {
        let mut disk = Self::new();
        let output = Command::new("losetup").args(["--find", "--show"]).arg(&disk.file).output().ok()?;
        let can_mount =
            Command::new("unshare").args(["--mount", "true"]).status().is_ok_and(|it| it.success());
        disk.device =
            output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim().to_owned());
        (disk.device.is_some() && can_mount).then_some(disk)
    }

    fn path(&self) -> &Path {
        self.device.as_deref().map_or(&self.file, Path::new)
    }

    /// Only of a plain file: a mounted file system grows by a right that a container seldom has.
    fn grow(&self, mib: u64) {
        assert!(self.device.is_none());
        fs::OpenOptions::new().write(true).open(&self.file).unwrap().set_len(mib * Self::MIB).unwrap();
    }

    /// Size of the file system on it, in bytes.
    fn file_system_size(&self) -> u64 {
        let output = Command::new("/usr/sbin/dumpe2fs").arg("-h").arg(&self.file).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let number = |label: &str| -> u64 {
            text.lines().find_map(|it| it.strip_prefix(label)).unwrap().trim().parse().unwrap()
        };
        number("Block count:") * number("Block size:")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Some(device) = &self.device {
            let _ = Command::new("losetup").args(["--detach", device]).status();
        }
    }
}

/// A host that was just started.
struct Host {
    dir: TempDir,
}

impl Host {
    fn new(volume: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["bin", "state", "disks", "root/etc"] {
            fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        fs::write(dir.path().join("root/etc/fstab"), "# empty\n").unwrap();
        fs::write(dir.path().join("state/volume"), format!("{volume}\n")).unwrap();
        let host = Self { dir };
        host.program("aws", FAKE_AWS);
        host.program("curl", FAKE_CURL);
        host.program("systemctl", FAKE_RECORDER);
        // The temporary folder's file system need not know the attribute.
        host.program("chattr", FAKE_RECORDER);
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn program(&self, name: &str, text: &str) {
        let path = self.path("bin").join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs the script, and `then` in the same mount namespace when it succeeded.
    fn run(&self, disk: &Disk, then: &str) -> Output {
        let mut script = script();
        let mut command = match disk.device {
            Some(_) => {
                let mut unshare = Command::new("unshare");
                unshare.args(["--mount", "--propagation", "private", "bash", "-c"]);
                unshare
            }
            None => {
                // A plain file cannot be mounted without rights, and its owner is whoever runs the test.
                self.program("mount", FAKE_RECORDER);
                let me = Command::new("id").arg("-u").output().unwrap().stdout;
                let owner = format!("POSTGRES_UID={}", String::from_utf8(me).unwrap().trim());
                script = script.replace("POSTGRES_UID=999", &owner).replace(
                    "install -d -m 0700 -o \"$POSTGRES_UID\" -g \"$POSTGRES_UID\"",
                    "install -d -m 0700 -o \"$POSTGRES_UID\"",
                );
                let mut bash = Command::new("bash");
                bash.arg("-c");
                bash
            }
        };
        let file = self.path("user-data.sh");
        fs::write(&file, script).unwrap();
        let search = std::env::var("PATH").unwrap();
        command
            .arg(format!("bash {} && {{ {then}\n}}", file.display()))
            .env("PATH", format!("{}:{search}:/usr/sbin:/sbin", self.path("bin").display()))
            .env("ROOT", self.path("root"))
            .env("DISKS", self.path("disks"))
            .env("DISK", disk.path())
            .env("FAKE_STATE", self.path("state"))
            .env("INSTANCE", INSTANCE)
            .env("POLL_SECONDS", "0")
            .output()
            .unwrap()
    }

    fn calls(&self) -> Vec<String> {
        fs::read_to_string(self.path("state/calls")).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    fn has_call(&self, text: &str) -> bool {
        self.calls().iter().any(|it| it.contains(text))
    }

    fn signal(&self) -> Option<String> {
        let calls = self.calls();
        let signal = calls.iter().rfind(|it| it.contains("signal-resource"))?;
        assert!(signal.contains("--stack-name app-compute --logical-resource-id HostGroup"), "{signal}");
        assert!(signal.contains(&format!("--unique-id {INSTANCE}")), "{signal}");
        signal.rsplit_once("--status ").map(|(_, status)| status.to_owned())
    }
}

#[track_caller]
fn succeeded(host: &Host, output: &Output) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{:#?}", host.calls());
    assert_eq!(host.signal().as_deref(), Some("SUCCESS"));
}

#[track_caller]
fn refused(host: &Host, output: &Output, reason: &str) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{text}");
    assert!(text.contains(reason), "{text}");
    assert_eq!(host.signal().as_deref(), Some("FAILURE"));
    assert!(host.has_call("systemctl mask ecs"), "a host without its volume must not join the cluster");
    assert!(!host.path("root/etc/ecs/ecs.config").exists());
}

fn uuid(disk: &Disk) -> String {
    let output = Command::new("/usr/sbin/blkid")
        .args(["-p", "-s", "UUID", "-o", "value"])
        .arg(disk.path())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn on_a_file_the_second_host_finds_the_file_system_and_grows_it() {
    let disk = Disk::new();
    let first = Host::new("available None");
    succeeded(&first, &first.run(&disk, "true"));
    let made = uuid(&disk);
    assert_eq!(made.len(), 36, "{made}");
    let fstab = fs::read_to_string(first.path("root/etc/fstab")).unwrap();
    assert!(fstab.contains(&format!("UUID={made} ")) && fstab.contains("nofail"), "{fstab}");
    let config = fs::read_to_string(first.path("root/etc/ecs/ecs.config")).unwrap();
    assert!(config.starts_with("ECS_CLUSTER=Cluster\nECS_AWSVPC_BLOCK_IMDS=true\n"), "{config}");
    assert!(first.has_call("systemctl enable --now --no-block report-volume-use.timer"));

    assert_eq!(disk.file_system_size(), 64 * Disk::MIB);

    disk.grow(128);
    let second = Host::new("available None");
    succeeded(&second, &second.run(&disk, "true"));
    assert_eq!(uuid(&disk), made, "the file system was made anew");
    assert_eq!(disk.file_system_size(), 128 * Disk::MIB, "the file system did not grow with the volume");
}

#[test]
fn on_a_loop_device_a_row_survives_the_replacement_of_the_host() {
    let Some(disk) = Disk::on_loop() else {
        eprintln!("skipped: no loop device or no right to mount; the same steps run on a file");
        return;
    };
    let first = Host::new("available None");
    let output = first.run(
        &disk,
        r#"set -e; cd "$ROOT/mnt/customdb"; stat -c '%a %u' data; echo row > data/row; sync; "$ROOT/usr/local/bin/report-volume-use""#,
    );
    succeeded(&first, &output);
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().last(), Some("700 999"));
    let metric = first.calls().into_iter().find(|it| it.contains("put-metric-data")).unwrap();
    assert!(metric.contains("--dimensions Stack=app-compute --unit Percent --value "), "{metric}");
    assert!(metric.rsplit_once(' ').unwrap().1.parse::<u8>().is_ok(), "{metric}");

    let second = Host::new("available None");
    let output = second.run(&disk, r#"cat "$ROOT/mnt/customdb/data/row""#);
    succeeded(&second, &output);
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().last(), Some("row"));
}

#[test]
fn on_a_loop_device_the_script_can_run_again_on_the_same_host() {
    let Some(disk) = Disk::on_loop() else {
        eprintln!("skipped: no loop device or no right to mount");
        return;
    };
    let host = Host::new("available None");
    let again = format!(
        "echo row > \"$ROOT/mnt/customdb/data/row\"; bash {} && cat \"$ROOT/mnt/customdb/data/row\"",
        host.path("user-data.sh").display()
    );
    let output = host.run(&disk, &again);
    succeeded(&host, &output);
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().last(), Some("row"));
    let fstab = fs::read_to_string(host.path("root/etc/fstab")).unwrap();
    assert_eq!(fstab.matches("UUID=").count(), 1, "{fstab}");
}

#[test]
fn a_volume_that_the_old_host_still_holds_is_waited_for() {
    let disk = Disk::new();
    let host = Host::new("in-use i-0old\ndetaching i-0old\navailable None");
    let output = host.run(&disk, "true");
    succeeded(&host, &output);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("vol-0123456789abcdef0 is in-use, held by i-0old; waiting"), "{text}");
    assert_eq!(host.calls().iter().filter(|it| it.contains("attach-volume")).count(), 1);
}

#[test]
fn a_volume_that_never_comes_free_fails_with_its_holder() {
    let disk = Disk::new();
    let host = Host::new("in-use i-0other");
    let output = host.run(&disk, "true");
    refused(&host, &output, "could not be attached within 10 minutes; it is in-use, held by i-0other");
}

#[test]
fn a_device_that_does_not_appear_fails() {
    let disk = Disk::new();
    // Attached by somebody's hand, but the system sees no device.
    let host = Host::new(&format!("in-use {INSTANCE}"));
    refused(&host, &host.run(&disk, "true"), "is attached but");
}

#[test]
fn data_that_is_not_ours_is_never_formatted() {
    let swap = |disk: &Disk| {
        assert!(Command::new("/usr/sbin/mkswap").arg(&disk.file).output().unwrap().status.success());
    };
    let partitions = |disk: &Disk| {
        let mut bytes = fs::read(&disk.file).unwrap();
        // A boot record with one Linux partition of 1,000 sectors.
        bytes[446..462].copy_from_slice(&[0, 0, 0, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0xe8, 3, 0, 0]);
        bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
        fs::write(&disk.file, bytes).unwrap();
    };
    type Prepare<'a> = &'a dyn Fn(&Disk);
    let cases: [(Prepare<'_>, &str); 2] = [
        (&swap, "holds swap (blkid 0), not ext4; refusing to touch it"),
        (&partitions, "holds partitions (blkid 0), not ext4; refusing to touch it"),
    ];
    for (prepare, reason) in cases {
        let disk = Disk::new();
        prepare(&disk);
        let before = fs::read(&disk.file).unwrap();
        let host = Host::new("available None");
        refused(&host, &host.run(&disk, "true"), reason);
        assert!(fs::read(&disk.file).unwrap() == before, "the disk was written to: {reason}");
    }
}
