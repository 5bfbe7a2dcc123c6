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
  "ssm get-parameter") echo vol-0123456789abcdef0 ;;
  "autoscaling describe-auto-scaling-instances") echo app-compute-HostGroup-X ;;
  "autoscaling set-instance-health")
    # The group takes the host away.
    echo Terminated > "$FAKE_STATE/lifecycle"; [ ! -e "$FAKE_STATE/mute" ] ;;
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
  *"X-aws-ec2-metadata-token: token"*/latest/meta-data/instance-id) [ ! -e "$FAKE_STATE/no-metadata" ] && echo "$INSTANCE" ;;
  *"X-aws-ec2-metadata-token: token"*/latest/meta-data/autoscaling/target-lifecycle-state) cat "$FAKE_STATE/lifecycle" ;;
  *http://localhost:51678/v1/metadata)
    [ -e "$FAKE_STATE/agent" ] && echo '{"Cluster": "Cluster","ContainerInstanceArn": "arn:aws:ecs:x:1:container-instance/Cluster/c1"}' ;;
  *) exit 22 ;;
esac
"#;

/// Stands in for Docker with one container of each service.
const FAKE_DOCKER: &str = r#"#!/bin/bash
echo "docker $*" >> "$FAKE_STATE/calls"
case "$*" in
  *container-name=api) echo c-api ;;
  *container-name=customdb) echo c-customdb ;;
  inspect*) echo 4242 ;;
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
        host.program("docker", FAKE_DOCKER);
        fs::write(host.path("state/lifecycle"), "InService\n").unwrap();
        fs::write(host.path("state/agent"), "").unwrap();
        // The temporary folder's file system need not know the attribute.
        host.program("chattr", FAKE_RECORDER);
        host
    }

    /// What the kernel says of the container of the database: 30 % of its memory is its own, 79 % is files.
    fn with_memory(self) -> Self {
        fs::create_dir_all(self.path("state/4242")).unwrap();
        fs::create_dir_all(self.path("state/cgroups/ecs/task")).unwrap();
        fs::write(self.path("state/4242/cgroup"), "0::/ecs/task\n").unwrap();
        fs::write(self.path("state/cgroups/ecs/task/memory.max"), "1000\n").unwrap();
        let stat = "anon 200\nfile 790\nshmem 100\nkernel 5\n";
        fs::write(self.path("state/cgroups/ecs/task/memory.stat"), stat).unwrap();
        self
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
                let me = String::from_utf8(me).unwrap();
                for (name, uid) in [("POSTGRES_UID", "999"), ("API_UID", "65532")] {
                    script =
                        script.replace(&format!("{name}={uid}"), &format!("{name}={}", me.trim())).replace(
                            &format!("install -d -m 0700 -o \"${name}\" -g \"${name}\""),
                            &format!("install -d -m 0700 -o \"${name}\""),
                        );
                }
                let mut bash = Command::new("bash");
                bash.arg("-c");
                bash
            }
        };
        let file = self.path("user-data.sh");
        fs::write(&file, script).unwrap();
        command.arg(format!("bash {} && {{ {then}\n}}", file.display()));
        self.surround(&mut command, disk);
        command.output().unwrap()
    }

    /// A program that the script has installed, after it was run.
    fn installed(&self, disk: &Disk, program: &str) -> Output {
        let mut command = Command::new("bash");
        let path = self.path("root/usr/local/bin");
        command.arg("-c").arg(format!("PATH={}:$PATH exec {program}", path.display()));
        self.surround(&mut command, disk);
        command.output().unwrap()
    }

    fn surround(&self, command: &mut Command, disk: &Disk) {
        let search = std::env::var("PATH").unwrap();
        command
            .env("PATH", format!("{}:{search}:/usr/sbin:/sbin", self.path("bin").display()))
            .env("ROOT", self.path("root"))
            .env("DISKS", self.path("disks"))
            .env("DISK", disk.path())
            .env("FAKE_STATE", self.path("state"))
            .env("INSTANCE", INSTANCE)
            .env("POLL_SECONDS", "0")
            .env("WATCH_SECONDS", "0")
            .env("SPOOL_MIB", "8");
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
    assert!(
        host.has_call(&format!(
            "autoscaling set-instance-health --instance-id {INSTANCE} --health-status Unhealthy"
        )),
        "nobody would replace it"
    );
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
    assert!(fstab.contains(&format!("UUID={made} ")) && fstab.contains("nofail,x-systemd.growfs"), "{fstab}");
    assert!(fstab.contains("/mnt/spool ext4 loop,noatime,nodev,nosuid,noexec,nofail"), "{fstab}");
    assert_eq!(fs::metadata(first.path("root/var/lib/pgapp-spool.img")).unwrap().len(), 8 * Disk::MIB);
    assert!(first.has_call("aws ssm get-parameter --name /postgres-as-app/volume"));
    let config = fs::read_to_string(first.path("root/etc/ecs/ecs.config")).unwrap();
    assert!(config.starts_with("ECS_CLUSTER=Cluster\nECS_AWSVPC_BLOCK_IMDS=true\n"), "{config}");
    assert!(first.has_call("systemctl enable --now --no-block watch-host.service drain-host.service"));

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
    let first = Host::new("available None").with_memory();
    let output = first.run(
        &disk,
        r#"set -e; cd "$ROOT/mnt/customdb"; stat -c '%a %u' data; echo row > data/row; sync; PROC="$FAKE_STATE" CGROUPS="$FAKE_STATE/cgroups" "$ROOT/usr/local/bin/report-host""#,
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
    assert_eq!((fstab.matches("UUID=").count(), fstab.matches("spool").count()), (1, 2), "{fstab}");
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

#[test]
fn a_host_that_can_say_nothing_stops_itself() {
    let disk = Disk::new();
    let host = Host::new("available None");
    fs::write(host.path("state/no-metadata"), "").unwrap();
    fs::write(host.path("state/mute"), "").unwrap();
    let output = host.run(&disk, "true");
    assert!(!output.status.success());
    assert!(
        host.has_call("systemctl mask ecs") && host.has_call("systemctl poweroff"),
        "{:#?}",
        host.calls()
    );
}

#[test]
fn a_host_that_has_to_go_stops_the_api_then_the_database_and_says_so() {
    let disk = Disk::new();
    let host = Host::new("available None");
    succeeded(&host, &host.run(&disk, "true"));
    fs::write(host.path("state/lifecycle"), "Terminated\n").unwrap();
    fs::write(host.path("state/calls"), "").unwrap();
    let output = host.installed(&disk, "watch-host");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let done: Vec<String> = host
        .calls()
        .into_iter()
        .filter(|it| !it.starts_with("docker ps") && !it.starts_with("systemctl"))
        .map(|it| it.split(' ').take(3).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        done,
        [
            "aws ecs update-container-instances-state",
            "docker stop -t",
            "docker stop -t",
            "aws autoscaling describe-auto-scaling-instances",
            "aws autoscaling complete-lifecycle-action",
        ],
        "{:#?}",
        host.calls()
    );
    assert!(host.has_call("docker stop -t 20 c-api") && host.has_call("docker stop -t 110 c-customdb"));
    assert!(host.has_call("--auto-scaling-group-name app-compute-HostGroup-X --instance-id i-"));
    // A system that restarts stops them, too, but comes back: its host must take tasks again.
    fs::write(host.path("state/calls"), "").unwrap();
    assert!(host.installed(&disk, "drain-host").status.success());
    assert!(host.has_call("docker stop -t 110 c-customdb") && !host.has_call("DRAINING"));
    let unit = fs::read_to_string(host.path("root/etc/systemd/system/drain-host.service")).unwrap();
    assert!(unit.contains("ExecStop=/usr/local/bin/drain-host\n") && unit.contains("After=docker.service"));
}

#[test]
fn a_host_whose_agent_is_dead_gives_way() {
    let disk = Disk::new();
    let host = Host::new("available None");
    succeeded(&host, &host.run(&disk, "true"));
    fs::remove_file(host.path("state/agent")).unwrap();
    let output = host.installed(&disk, "watch-host");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(host.has_call("autoscaling set-instance-health"), "{:#?}", host.calls());
}

#[test]
fn memory_is_what_cannot_be_given_back() {
    let disk = Disk::new();
    let host = Host::new("available None").with_memory();
    succeeded(&host, &host.run(&disk, "true"));
    host.program("findmnt", "#!/bin/bash\necho /dev/x\n");
    host.program("resize2fs", FAKE_RECORDER);
    host.program("df", "#!/bin/bash\necho ' Use%'; echo ' 42%'\n");
    let state = host.path("state");
    let program = format!("env PROC={0} CGROUPS={0}/cgroups report-host", state.display());
    let output = host.installed(&disk, &program);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(host.has_call(
        "--metric-name MemoryUsedPercent --dimensions Stack=app-compute --unit Percent --value 30"
    ));
    assert!(host.has_call(
        "--metric-name VolumeUsedPercent --dimensions Stack=app-compute --unit Percent --value 42"
    ));
    assert!(host.has_call("resize2fs /dev/x"), "the file system follows its volume");
}
