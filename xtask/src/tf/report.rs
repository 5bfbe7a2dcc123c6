//! A plan as a comment on a pull request: the summary in sight, the whole of it to be unfolded. Pure.

use super::summary::Summary;

/// GitHub takes comments of 65,536 characters.
const MOST_CHARACTERS: usize = 65_000;

/// Markdown of a plan, shortened where it is too long for a comment.
pub(super) fn markdown(environment: &str, summary: &Summary, plan: &str) -> String {
    let mut text = format!("### Plan for {environment}\n\n");
    let lost = summary.lost();
    if !lost.is_empty() {
        let lost: Vec<String> = lost.iter().map(|it| format!("`{it}`")).collect();
        text.push_str(&format!(
            "**This destroys what holds data: {}.** It is not applied unless that is asked for.\n\n",
            lost.join(", ")
        ));
    }
    text.push_str(&fenced(&summary.to_text()));
    let begin = "\n<details><summary>The whole plan</summary>\n\n";
    let end = "\n</details>\n";
    let short = "\nThe plan is longer; the whole of it is in the log of the job.\n";
    // The fence grows with the longest one in the plan, so twice its length is room enough for both.
    let room = MOST_CHARACTERS.saturating_sub(
        text.chars().count() + begin.len() + end.len() + short.len() + 2 * fence(plan).len() + 8,
    );
    let cut: String = plan.chars().take(room).collect();
    text.push_str(begin);
    text.push_str(&fenced(&cut));
    if cut.len() < plan.len() {
        text.push_str(short);
    }
    text.push_str(end);
    text
}

fn fenced(text: &str) -> String {
    let fence = fence(text);
    format!("{fence}text\n{}\n{fence}\n", text.trim_end_matches('\n'))
}

/// Longer than any row of backticks in the text, so that nothing in a plan can end it.
fn fence(text: &str) -> String {
    let longest = text.split(|it| it != '`').map(str::len).max().unwrap_or_default();
    "`".repeat(longest.max(2) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(actions: &str) -> Summary {
        let plan = format!(
            r#"{{"format_version":"1.2","resource_changes":[{{"address":"aws_s3_bucket.x","type":"aws_s3_bucket",
                "change":{{"actions":[{actions}]}}}}]}}"#
        );
        Summary::read(&plan).expect("a plan")
    }

    #[test]
    fn comment_has_the_summary_and_the_plan() {
        let text = markdown("dev", &summary(r#""create""#), "the plan\n");
        let expected = "### Plan for dev\n\n```text\ncreate     1\n  aws_s3_bucket.x\nupdate     0\nreplace    0\n\
                        destroy    0\nforget     0\n```\n\n<details><summary>The whole plan</summary>\n\n\
                        ```text\nthe plan\n```\n\n</details>\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn lost_data_stands_at_the_top() {
        let text = markdown("dev", &summary(r#""delete""#), "");
        let expected = "### Plan for dev\n\n**This destroys what holds data: `aws_s3_bucket.x`.** It is";
        assert!(text.starts_with(expected), "{text}");
    }

    #[test]
    fn long_plan_is_cut_and_says_so_and_no_plan_ends_its_fence() {
        let text = markdown("dev", &summary(r#""create""#), &"ä````\n".repeat(20_000));
        assert!(text.chars().count() <= MOST_CHARACTERS, "{}", text.chars().count());
        assert!(text.contains("`````text\nä````\n"), "{}", &text[..200]);
        assert!(text.ends_with("the whole of it is in the log of the job.\n\n</details>\n"));
    }
}
