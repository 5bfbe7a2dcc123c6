//! Work grows with a request as the request does, and not with its square: what a client may send in one request is
//! understood within a time that even a slow machine keeps.

use std::time::{Duration, Instant};

use api::plan::action_plan;

use crate::fixture::{cache, conf, main_query_of, request};

/// For each of them. A square of any of these lengths takes minutes.
const DEADLINE: Duration = Duration::from_secs(20);

/// As much of a part as a target may hold, where some characters are encoded.
fn as_many(mut part: impl FnMut(usize) -> String) -> String {
    let (mut text, mut encoded) = (String::new(), 0);
    for index in 0.. {
        let next = part(index);
        encoded += next.chars().map(|c| if matches!(c, '"' | '\\' | '>') { 3 } else { 1 }).sum::<usize>();
        if encoded > 60_000 {
            break;
        }
        text.push_str(&next);
    }
    text
}

#[test]
fn every_part_of_a_request_may_be_long() {
    let many = |n: usize, part: fn(usize) -> String| (0..n).map(part).collect::<String>();
    let embeds = as_many(|it| format!("a{it}:tasks(id),"));
    let half = embeds.len() / 2;
    let embeds_and_limits = {
        let n = half / 24;
        let select: String = (0..n).map(|it| format!("a{it}:tasks(id),")).collect();
        // The last one first, each time.
        let limits: String = (0..n).rev().map(|it| format!("&a{it}.limit=1")).collect();
        format!("select={}{limits}", select.trim_end_matches(','))
    };
    let tests_for_rows = {
        let n = half / 24;
        let select: String = (0..n).map(|it| format!("a{it}:tasks(),")).collect();
        let tests: String = (0..n).map(|it| format!("&a{it}=not.is.null")).collect();
        format!("select={}{tests}", select.trim_end_matches(','))
    };
    let cases = [
        ("filters", format!("GET /projects?{}", as_many(|it| format!("id=eq.{it}&")).trim_end_matches('&'))),
        (
            "columns",
            format!("GET /projects?select={}", as_many(|it| format!("c{it}:id,")).trim_end_matches(',')),
        ),
        ("embeds", format!("GET /projects?select={}", embeds.trim_end_matches(','))),
        ("limits of embeds", format!("GET /projects?{embeds_and_limits}")),
        ("tests for rows", format!("GET /projects?{tests_for_rows}")),
        (
            "aggregates of a spread",
            format!(
                "GET /tasks?select=...projects({})",
                as_many(|it| format!("m{it}:id.max(),")).trim_end_matches(',')
            ),
        ),
        (
            "order",
            format!("GET /projects?order={}", as_many(|_| "id.desc,".to_owned()).trim_end_matches(',')),
        ),
        (
            "a list",
            format!("GET /projects?id=in.({})", as_many(|it| format!("\"{it}\",")).trim_end_matches(',')),
        ),
        ("a list of stray quotes", format!("GET /projects?id=in.({})", as_many(|_| "\"a\\\",".to_owned()))),
        ("a path", format!("GET /documents?select=data{}", as_many(|it| format!("->k{it}")))),
        (
            "a tree",
            format!("GET /projects?or=({})", as_many(|it| format!("id.eq.{it},")).trim_end_matches(',')),
        ),
        ("a deep tree", format!("GET /projects?or=({}id.eq.1{})", "and(".repeat(60), ")".repeat(60))),
        (
            "conflict columns",
            format!(
                "POST /projects?on_conflict={}\n\n{{}}",
                as_many(|it| format!("c{it},")).trim_end_matches(',')
            ),
        ),
        (
            "written columns",
            format!(
                "POST /projects?columns={}\n\n{{}}",
                as_many(|it| format!("c{it},")).trim_end_matches(',')
            ),
        ),
        ("arguments", format!("GET /rpc/add_them?{}", as_many(|it| format!("a{it}=1&")))),
        ("variadic arguments", format!("GET /rpc/sum_all?{}", as_many(|_| "nums=1&".to_owned()))),
        ("a name that is not there", format!("GET /{}", "projects".repeat(7_000))),
        ("cookies", format!("GET /projects\ncookie: {}", many(80_000, |it| format!("c{it}=1; ")))),
        ("headers", format!("GET /projects\n{}", many(20_000, |it| format!("x-{it}: 1\n")).trim_end())),
        ("preferences", format!("GET /projects\nprefer: {}", many(80_000, |it| format!("p{it}=1, ")))),
        (
            "media types",
            format!("GET /projects\naccept: {}*/*", many(80_000, |it| format!("a/b{it};q=0.{it}, "))),
        ),
        ("keys", format!("POST /rpc/add_them\n\n{{{}\"z\":1}}", many(200_000, |it| format!("\"k{it}\":1,")))),
        (
            "keys of rows",
            format!("POST /projects\n\n[{}{{\"id\":1}}]", many(200_000, |it| format!("{{\"k{it}\":1}},"))),
        ),
        (
            "fields of a form",
            format!(
                "POST /rpc/sum_all\ncontent-type: application/x-www-form-urlencoded\n\n{}",
                many(90_000, |it| format!("nums={it}&"))
            ),
        ),
        (
            "names of a form",
            format!(
                "POST /rpc/unnamed_json\ncontent-type: application/x-www-form-urlencoded\n\n{}",
                many(90_000, |it| format!("n{it}=1&"))
            ),
        ),
        (
            "rows of CSV",
            format!(
                "POST /projects\ncontent-type: text/csv\n\nid,name\n{}",
                many(200_000, |it| format!("{it},\"a\"\"b\"\n"))
            ),
        ),
        (
            "columns of CSV",
            format!(
                "POST /projects\ncontent-type: text/csv\n\n{}\n{}",
                many(1_000, |it| format!("c{it},")),
                many(100_000, |_| ",".to_owned())
            ),
        ),
    ];
    let (conf, cache) = (conf(), cache());
    for (what, text) in cases {
        let begun = Instant::now();
        // Whether it makes sense is another matter.
        if let Ok(request) = request(&conf, &text)
            && let Ok(plan) = action_plan(&conf, &request, &cache)
        {
            let query = main_query_of(&plan, &conf, &request);
            let length: usize = query.statements().map(|it| it.text().len()).sum();
            assert!(length < 100 * text.len() + 10_000, "{what}: a statement of {length} bytes");
        }
        let took = begun.elapsed();
        assert!(took < DEADLINE, "{what}: {took:?}");
    }
}
