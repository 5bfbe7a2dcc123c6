//! The intrinsic functions of CloudFormation, by both of their spellings, and the variables inside `Fn::Sub` texts.

macro_rules! functions {
    ($($variant:ident $short:literal $long:literal;)*) => {
        /// An intrinsic function.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Function {
            $(#[doc = concat!("`", $long, "`")] $variant,)*
        }

        impl Function {
            const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name after `!` in YAML.
            pub fn short_name(self) -> &'static str {
                match self { $(Self::$variant => $short,)* }
            }

            /// The key in JSON.
            pub fn long_name(self) -> &'static str {
                match self { $(Self::$variant => $long,)* }
            }
        }
    };
}

functions! {
    Ref "Ref" "Ref";
    GetAtt "GetAtt" "Fn::GetAtt";
    Sub "Sub" "Fn::Sub";
    Join "Join" "Fn::Join";
    Select "Select" "Fn::Select";
    Split "Split" "Fn::Split";
    If "If" "Fn::If";
    Equals "Equals" "Fn::Equals";
    And "And" "Fn::And";
    Or "Or" "Fn::Or";
    Not "Not" "Fn::Not";
    Condition "Condition" "Condition";
    FindInMap "FindInMap" "Fn::FindInMap";
    ImportValue "ImportValue" "Fn::ImportValue";
    GetAzs "GetAZs" "Fn::GetAZs";
    Cidr "Cidr" "Fn::Cidr";
    Base64 "Base64" "Fn::Base64";
    Length "Length" "Fn::Length";
    ToJsonString "ToJsonString" "Fn::ToJsonString";
    Transform "Transform" "Fn::Transform";
    Contains "Contains" "Fn::Contains";
    EachMemberEquals "EachMemberEquals" "Fn::EachMemberEquals";
    EachMemberIn "EachMemberIn" "Fn::EachMemberIn";
    RefAll "RefAll" "Fn::RefAll";
    ValueOf "ValueOf" "Fn::ValueOf";
    ValueOfAll "ValueOfAll" "Fn::ValueOfAll";
}

impl Function {
    /// The function that YAML spells `!name`.
    pub fn from_short_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|it| it.short_name() == name)
    }

    /// The function that JSON spells as the only key of an object.
    ///
    /// `Condition` is left out: as a key it also names the condition of a resource and of an IAM statement.
    pub fn from_long_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|it| it.long_name() == name && *it != Self::Condition)
    }
}

/// A part of the text of `Fn::Sub`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// Text that stays, with `${!x}` already turned into `${x}`.
    Literal(String),
    /// The name inside `${…}`: a parameter, a resource, `Resource.Attribute` or a pseudo parameter.
    Variable(String),
}

/// Splits the text of `Fn::Sub` at its variables. A `${` without an end stays as it is, as in CloudFormation.
pub fn segments(text: &str) -> Vec<Segment> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(length) = rest[start..].find('}') else { break };
        literal.push_str(&rest[..start]);
        let name = rest[start + 2..start + length].trim();
        if let Some(escaped) = name.strip_prefix('!') {
            literal.push_str(&format!("${{{escaped}}}"));
        } else {
            if !literal.is_empty() {
                parts.push(Segment::Literal(std::mem::take(&mut literal)));
            }
            parts.push(Segment::Variable(name.to_owned()));
        }
        rest = &rest[start + length + 1..];
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(Segment::Literal(literal));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_is_found_by_its_names() {
        for function in Function::ALL {
            assert_eq!(Function::from_short_name(function.short_name()), Some(*function));
            if *function != Function::Condition {
                assert_eq!(Function::from_long_name(function.long_name()), Some(*function));
            }
        }
    }

    #[test]
    fn segments_keep_literals_and_escapes() {
        let literal = |it: &str| Segment::Literal(it.into());
        let variable = |it: &str| Segment::Variable(it.into());
        assert_eq!(segments("${AWS::StackName}-vpc"), [variable("AWS::StackName"), literal("-vpc")]);
        assert_eq!(segments("a${!b}c${ D.E }"), [literal("a${b}c"), variable("D.E")]);
        assert_eq!(segments("open ${end"), [literal("open ${end")]);
        assert_eq!(segments(""), []);
    }
}
