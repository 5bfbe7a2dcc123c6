//! Links into the AWS console.

/// Where a stack is shown.
pub fn stack(region: &str, stack_id: &str) -> String {
    format!("{}#/stacks/stackinfo?stackId={}", base(region), encode(stack_id))
}

/// Where a change set is shown.
pub fn change_set(region: &str, stack_id: &str, change_set_id: &str) -> String {
    format!(
        "{}#/stacks/changesets/changes?stackId={}&changeSetId={}",
        base(region),
        encode(stack_id),
        encode(change_set_id)
    )
}

fn base(region: &str) -> String {
    let host = match region {
        it if it.starts_with("cn-") => "console.amazonaws.cn",
        it if it.starts_with("us-gov-") => "console.amazonaws-us-gov.com",
        _ => "console.aws.amazon.com",
    };
    format!("https://{region}.{host}/cloudformation/home?region={region}")
}

/// Percent-encodes what an ARN holds besides letters and digits.
fn encode(text: &str) -> String {
    let keep = |it: &u8| it.is_ascii_alphanumeric() || b"-_.".contains(it);
    text.bytes().map(|it| if keep(&it) { char::from(it).to_string() } else { format!("%{it:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_the_right_partition() {
        assert_eq!(
            stack("eu-west-1", "arn:aws:cloudformation:eu-west-1:1:stack/app-vpc/x"),
            "https://eu-west-1.console.aws.amazon.com/cloudformation/home?region=eu-west-1#/stacks/stackinfo?stackId=arn%3Aaws%3Acloudformation%3Aeu-west-1%3A1%3Astack%2Fapp-vpc%2Fx"
        );
        assert!(stack("cn-north-1", "x").starts_with("https://cn-north-1.console.amazonaws.cn/"));
        assert!(change_set("us-gov-west-1", "s", "c").ends_with("?stackId=s&changeSetId=c"));
    }
}
