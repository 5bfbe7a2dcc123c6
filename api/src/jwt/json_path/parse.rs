//! Reads a query.

use serde_json::Value;

use super::{COMPARISONS, Function, JsonPath, Logical, Operand, Segment, Selector, Start, Step};

/// Parentheses and filters may nest this deep.
const MAX_DEPTH: usize = 32;

/// What was expected, and where.
type Result<T> = std::result::Result<T, (usize, &'static str)>;

pub(super) fn parse(text: &str) -> std::result::Result<JsonPath, String> {
    let mut parser = Parser { text, at: 0, depth: 0 };
    let result = parser.path(Start::Root, '$').and_then(|path| match parser.rest() {
        "" => Ok(path),
        _ => Err((parser.at, "'.', '[' or the end")),
    });
    result
        .map_err(|(at, expected)| format!("expected {expected} at column {}", text[..at].chars().count() + 1))
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn eat(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    /// A token, with white space allowed before it; nothing is consumed where it is missing.
    fn eat_after_space(&mut self, token: &str) -> bool {
        let start = self.at;
        self.space();
        let found = self.eat(token);
        if !found {
            self.at = start;
        }
        found
    }

    fn expect(&mut self, token: &'static str, expected: &'static str) -> Result<()> {
        if self.eat(token) { Ok(()) } else { Err((self.at, expected)) }
    }

    fn space(&mut self) {
        self.take_while(|it| matches!(it, ' ' | '\t' | '\n' | '\r'));
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|it| !wanted(it)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn path(&mut self, start: Start, sign: char) -> Result<JsonPath> {
        if self.peek() != Some(sign) {
            return Err((self.at, "'$'"));
        }
        self.at += 1;
        let mut segments = Vec::new();
        loop {
            let before = self.at;
            self.space();
            if !matches!(self.peek(), Some('.' | '[')) {
                self.at = before;
                return Ok(JsonPath { start, segments });
            }
            segments.push(self.segment()?);
        }
    }

    fn any_path(&mut self) -> Result<Option<JsonPath>> {
        match self.peek() {
            Some('$') => self.path(Start::Root, '$').map(Some),
            Some('@') => self.path(Start::Current, '@').map(Some),
            _ => Ok(None),
        }
    }

    fn segment(&mut self) -> Result<Segment> {
        let descendant = self.eat("..");
        if self.eat("[") {
            return Ok(Segment { descendant, step: Step::Bracketed(self.selectors()?) });
        }
        if !descendant {
            self.expect(".", "'.' or '['")?;
        }
        if self.eat("*") {
            return Ok(Segment { descendant, step: Step::Wildcard });
        }
        let name_start = |it: char| it.is_alphabetic() || it == '_' || !it.is_ascii();
        if !self.peek().is_some_and(name_start) {
            return Err((self.at, "a name (in quotes and brackets if it has special characters)"));
        }
        let name = self.take_while(|it| name_start(it) || it.is_ascii_digit());
        Ok(Segment { descendant, step: Step::Dotted(name.to_owned()) })
    }

    fn selectors(&mut self) -> Result<Vec<Selector>> {
        let mut selectors = Vec::new();
        loop {
            self.space();
            selectors.push(self.selector()?);
            self.space();
            if self.eat("]") {
                return Ok(selectors);
            }
            self.expect(",", "',' or ']'")?;
        }
    }

    fn selector(&mut self) -> Result<Selector> {
        match self.peek() {
            Some('\'' | '"') => Ok(Selector::Name(self.string()?)),
            Some('*') => {
                self.at += 1;
                Ok(Selector::Wildcard)
            }
            Some('?') => {
                self.at += 1;
                self.space();
                Ok(Selector::Filter(self.nested(Self::or)?))
            }
            Some('-' | ':' | '0'..='9') => {
                let start = self.integer()?;
                if !self.eat_after_space(":") {
                    return start.map(Selector::Index).ok_or((self.at, "an index"));
                }
                self.space();
                let end = self.integer()?;
                let step = if self.eat_after_space(":") {
                    self.space();
                    self.integer()?
                } else {
                    None
                };
                Ok(Selector::Slice { start, end, step: step.unwrap_or(1) })
            }
            _ => Err((self.at, "a quoted name, an index, a slice, '*' or a '?' filter")),
        }
    }

    fn integer(&mut self) -> Result<Option<i64>> {
        let start = self.at;
        let negative = self.eat("-");
        let digits = self.take_while(|it| it.is_ascii_digit());
        if digits.is_empty() {
            return if negative { Err((self.at, "digits")) } else { Ok(None) };
        }
        self.text[start..self.at].parse().map(Some).map_err(|_| (start, "a smaller number"))
    }

    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth == MAX_DEPTH {
            return Err((self.at, "less nesting"));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    fn or(&mut self) -> Result<Logical> {
        let mut operands = vec![self.and()?];
        while self.eat_after_space("||") {
            self.space();
            operands.push(self.and()?);
        }
        Ok(single_or(operands, Logical::Or))
    }

    fn and(&mut self) -> Result<Logical> {
        let mut operands = vec![self.basic()?];
        while self.eat_after_space("&&") {
            self.space();
            operands.push(self.basic()?);
        }
        Ok(single_or(operands, Logical::And))
    }

    fn basic(&mut self) -> Result<Logical> {
        if self.eat("!") {
            self.space();
            let operand = if self.peek() == Some('(') { self.group()? } else { self.test()? };
            return Ok(Logical::Not(Box::new(operand)));
        }
        if self.peek() == Some('(') {
            return self.group();
        }
        if self.at_function() {
            return self.test();
        }
        let left = self.operand()?;
        let before = self.at;
        self.space();
        let operator = COMPARISONS.iter().find(|(operator, _)| self.rest().starts_with(operator));
        match (operator, left) {
            (Some((operator, comparison)), left) => {
                singular(&left, self.at)?;
                self.at += operator.len();
                self.space();
                let right = self.operand()?;
                singular(&right, self.at)?;
                Ok(Logical::Compare(left, *comparison, right))
            }
            (None, Operand::Query(path)) => {
                self.at = before;
                Ok(Logical::Exists(path))
            }
            (None, Operand::Literal(_)) => Err((self.at, "a comparison operator")),
        }
    }

    fn group(&mut self) -> Result<Logical> {
        self.expect("(", "'('")?;
        self.space();
        let inner = self.nested(Self::or)?;
        self.space();
        self.expect(")", "')'")?;
        Ok(Logical::Group(Box::new(inner)))
    }

    fn at_function(&self) -> bool {
        self.rest().starts_with("search(") || self.rest().starts_with("match(")
    }

    fn test(&mut self) -> Result<Logical> {
        let whole = self.eat("match(");
        if whole || self.eat("search(") {
            self.space();
            let text = self.operand()?;
            singular(&text, self.at)?;
            self.space();
            self.expect(",", "','")?;
            self.space();
            let pattern = self.operand()?;
            singular(&pattern, self.at)?;
            self.space();
            self.expect(")", "')'")?;
            return Ok(Logical::Function(Function { whole, text, pattern }));
        }
        self.any_path()?.map(Logical::Exists).ok_or((self.at, "a path, search(…) or match(…)"))
    }

    fn operand(&mut self) -> Result<Operand> {
        if let Some(path) = self.nested(Self::any_path)? {
            return Ok(Operand::Query(path));
        }
        for (word, value) in
            [("true", Value::Bool(true)), ("false", Value::Bool(false)), ("null", Value::Null)]
        {
            if self.eat(word) {
                return Ok(Operand::Literal(value));
            }
        }
        match self.peek() {
            Some('\'' | '"') => Ok(Operand::Literal(Value::String(self.string()?))),
            Some('-' | '0'..='9') => self.number(),
            _ => Err((self.at, "a path or a value")),
        }
    }

    fn number(&mut self) -> Result<Operand> {
        let start = self.at;
        self.take_while(|it| it.is_ascii_digit() || "+-.eE".contains(it));
        match serde_json::from_str::<serde_json::Number>(&self.text[start..self.at]) {
            // A number has one written form, so that dumps are stable.
            Ok(number) => Ok(Operand::Literal(Value::Number(whole(number)))),
            Err(_) => Err((start, "a number")),
        }
    }

    fn string(&mut self) -> Result<String> {
        let quote = self.peek().ok_or((self.at, "a quote"))?;
        self.at += 1;
        let mut out = String::new();
        loop {
            out.push_str(self.take_while(|it| it != quote && it != '\\' && it >= ' '));
            match self.peek() {
                Some(it) if it == quote => {
                    self.at += 1;
                    return Ok(out);
                }
                Some('\\') => {
                    self.at += 1;
                    out.push(self.escape(quote)?);
                }
                _ => return Err((self.at, "a closing quote")),
            }
        }
    }

    fn escape(&mut self, quote: char) -> Result<char> {
        let simple = match self.peek() {
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some(it @ ('/' | '\\')) => it,
            Some(it) if it == quote => it,
            Some('u') => {
                self.at += 1;
                return self.unicode();
            }
            _ => return Err((self.at, "an escape")),
        };
        self.at += 1;
        Ok(simple)
    }

    fn unicode(&mut self) -> Result<char> {
        let start = self.at;
        let high = self.hex_quad()?;
        let code = if (0xd800..0xdc00).contains(&high) && self.eat("\\u") {
            let low = self.hex_quad()?;
            0x10000 + ((high - 0xd800) << 10) + (low.wrapping_sub(0xdc00) & 0x3ff)
        } else {
            high
        };
        char::from_u32(code).ok_or((start, "a character"))
    }

    fn hex_quad(&mut self) -> Result<u32> {
        let digits = self.rest().get(..4).filter(|it| it.chars().all(|it| it.is_ascii_hexdigit()));
        let code = digits.and_then(|it| u32::from_str_radix(it, 16).ok());
        let code = code.ok_or((self.at, "four hexadecimal digits"))?;
        self.at += 4;
        Ok(code)
    }
}

fn single_or(mut operands: Vec<Logical>, many: impl FnOnce(Vec<Logical>) -> Logical) -> Logical {
    match operands.len() {
        1 => operands.remove(0),
        _ => many(operands),
    }
}

fn whole(number: serde_json::Number) -> serde_json::Number {
    match number.as_f64() {
        #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and in range")]
        Some(float) if float.fract() == 0.0 && float.abs() < 9e15 => (float as i64).into(),
        _ => number,
    }
}

/// A comparison needs one value on each side.
fn singular(operand: &Operand, at: usize) -> Result<()> {
    let Operand::Query(path) = operand else { return Ok(()) };
    let one = path.segments.iter().all(|it| {
        !it.descendant
            && match &it.step {
                Step::Dotted(_) => true,
                Step::Wildcard => false,
                Step::Bracketed(selectors) => {
                    matches!(selectors[..], [Selector::Name(_) | Selector::Index(_)])
                }
            }
    });
    if one { Ok(()) } else { Err((at, "a path to a single value")) }
}
