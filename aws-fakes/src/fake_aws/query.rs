//! The services that speak the older protocol: STS and IAM with an MFA device that has one code, and the outputs of stacks.

use std::collections::{BTreeMap, HashSet};

/// An account with a user, a device and stacks.
#[derive(Debug, Default)]
pub struct Account {
    /// The code that the device shows now.
    pub mfa_code: String,
    used: HashSet<String>,
    /// Whether the device is enabled.
    pub is_enabled: bool,
    /// Devices that exist.
    pub devices: HashSet<String>,
    /// Access keys that were made.
    pub n_keys: u32,
    /// Outputs by the name of the stack.
    pub stacks: BTreeMap<String, BTreeMap<String, String>>,
}

/// Codes that enable the device.
pub const FIRST_CODES: (&str, &str) = ("111111", "222222");

fn error(status: u16, code: &str, message: &str) -> (u16, String) {
    (
        status,
        format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>r</RequestId></ErrorResponse>"
        ),
    )
}

fn result(action: &str, namespace: &str, inner: &str) -> (u16, String) {
    (
        200,
        format!(
            "<{action}Response xmlns=\"{namespace}\"><{action}Result>{inner}</{action}Result><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></{action}Response>"
        ),
    )
}

const STS: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
const IAM: &str = "https://iam.amazonaws.com/doc/2010-05-08/";
const FORMATION: &str = "http://cloudformation.amazonaws.com/doc/2010-05-15/";

/// Answers a call; `key` is the access key that signed it.
pub(super) fn respond(account: &mut Account, form: &BTreeMap<String, String>, key: &str) -> (u16, String) {
    let get = |name: &str| form.get(name).map_or("", String::as_str);
    let action = get("Action");
    match action {
        "AssumeRole" => {
            let code = get("TokenCode").to_owned();
            // As in AWS, a code is good once.
            if !account.is_enabled || code != account.mfa_code || !account.used.insert(code) {
                return error(
                    403,
                    "AccessDenied",
                    "MultiFactorAuthentication failed with invalid MFA one time pass code. ",
                );
            }
            let role = get("RoleArn").rsplit('/').next().unwrap_or_default();
            let inner = format!(
                "<AssumedRoleUser><AssumedRoleId>AROAEXAMPLE:me</AssumedRoleId><Arn>arn:aws:sts::123456789012:assumed-role/{role}/me</Arn></AssumedRoleUser>\
                 <Credentials><AccessKeyId>ASIASESSION</AccessKeyId><SecretAccessKey>session-key</SecretAccessKey>\
                 <SessionToken>session-token</SessionToken><Expiration>2099-01-02T03:04:05Z</Expiration></Credentials>"
            );
            result(action, STS, &inner)
        }
        "GetCallerIdentity" => {
            let who = if key.starts_with("ASIA") { "assumed-role/admin/me" } else { "user/me" };
            let inner = format!(
                "<Arn>arn:aws:sts::123456789012:{who}</Arn><UserId>U</UserId><Account>123456789012</Account>"
            );
            result(action, STS, &inner)
        }
        "CreateAccessKey" => {
            account.n_keys += 1;
            let inner = format!(
                "<AccessKey><UserName>{}</UserName><AccessKeyId>AKIANEW</AccessKeyId><Status>Active</Status><SecretAccessKey>new/key</SecretAccessKey></AccessKey>",
                get("UserName")
            );
            result(action, IAM, &inner)
        }
        "CreateVirtualMFADevice" => {
            let serial = format!("arn:aws:iam::123456789012:mfa/{}", get("VirtualMFADeviceName"));
            if !account.devices.insert(serial.clone()) {
                return error(
                    409,
                    "EntityAlreadyExists",
                    "MFADevice entity at the same path and name already exists.",
                );
            }
            // The seed and the image travel in base64.
            let inner = format!(
                "<VirtualMFADevice><SerialNumber>{serial}</SerialNumber><Base32StringSeed>SkJTV1kzRFBFSFBLM1BYUA==</Base32StringSeed><QRCodePNG>UE5H</QRCodePNG></VirtualMFADevice>"
            );
            result(action, IAM, &inner)
        }
        "EnableMFADevice" => {
            if (get("AuthenticationCode1"), get("AuthenticationCode2")) != FIRST_CODES {
                return error(
                    403,
                    "InvalidAuthenticationCode",
                    "Authentication code for device is not valid.",
                );
            }
            account.is_enabled = true;
            (
                200,
                format!(
                    "<EnableMFADeviceResponse xmlns=\"{IAM}\"><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></EnableMFADeviceResponse>"
                ),
            )
        }
        // The user's own policy asks for MFA here.
        "DeleteVirtualMFADevice" if key == "AKIANEW" => error(403, "AccessDenied", "with an explicit deny"),
        "DeleteVirtualMFADevice" => {
            account.devices.remove(get("SerialNumber"));
            (
                200,
                format!(
                    "<DeleteVirtualMFADeviceResponse xmlns=\"{IAM}\"><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></DeleteVirtualMFADeviceResponse>"
                ),
            )
        }
        "DescribeStacks" => {
            let name = get("StackName");
            let Some(outputs) = account.stacks.get(name) else {
                return error(400, "ValidationError", &format!("Stack with id {name} does not exist"));
            };
            let member = |(key, value): (&String, &String)| {
                let value = value.replace('&', "&amp;");
                format!("<member><OutputKey>{key}</OutputKey><OutputValue>{value}</OutputValue></member>")
            };
            let members: String = outputs.iter().map(member).collect();
            let inner = format!(
                "<Stacks><member><StackName>{name}</StackName><StackId>arn:aws:cloudformation:eu-west-1:1:stack/{name}/x</StackId>\
                 <StackStatus>CREATE_COMPLETE</StackStatus><CreationTime>2026-01-01T00:00:00Z</CreationTime>\
                 <Outputs>{members}</Outputs></member></Stacks>"
            );
            result(action, FORMATION, &inner)
        }
        other => error(400, "InvalidAction", other),
    }
}

/// Reads `a=b&c=d`.
pub(super) fn form(body: &str) -> BTreeMap<String, String> {
    let decode = |text: &str| {
        let text = text.replace('+', " ");
        percent_encoding::percent_decode_str(&text).decode_utf8_lossy().into_owned()
    };
    body.split('&')
        .filter_map(|it| it.split_once('='))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}
