//! Models of pydantic 2.

use super::{KEYWORDS, Member, USED_IN_TYPES};
use crate::types::names::Taken;
use crate::types::text::{Text, quoted};

/// Attributes of every model, which no field may hide.
const ATTRIBUTES: &[&str] = &[
    "construct",
    "copy",
    "dict",
    "from_orm",
    "json",
    "parse_file",
    "parse_obj",
    "parse_raw",
    "schema",
    "schema_json",
    "update_forward_refs",
    "validate",
];

/// Writes a model. A field whose name is not valid in Python has the column's name as its alias.
pub(super) fn model(name: &str, members: &[Member<'_>], text: &mut Text) {
    text.nested(format!("class {name}(BaseModel):"), |text| {
        text.line("model_config = ConfigDict(populate_by_name=True, protected_namespaces=())");
        let mut taken = Taken::new(&["model_config"]);
        for member in members {
            let field = taken.pick(&identifier(member.name));
            let default = if member.is_required { "..." } else { "None" };
            let is_optional = !member.is_required && !member.ty.ends_with("None") && member.ty != "Json";
            let ty = if is_optional { format!("{} | None", member.ty) } else { member.ty.clone() };
            text.line(match (field == member.name, member.is_required) {
                (true, true) => format!("{field}: {ty}"),
                (true, false) => format!("{field}: {ty} = None"),
                (false, _) => format!("{field}: {ty} = Field({default}, alias={})", quoted(member.name)),
            });
        }
    });
}

fn identifier(name: &str) -> String {
    let plain = |it: char| if it.is_ascii_alphanumeric() || it == '_' { it } else { '_' };
    let mut identifier: String = name.chars().map(plain).collect();
    // Pydantic keeps a leading underscore for itself; a name with a capital could be that of a type.
    if identifier.starts_with(|it: char| !it.is_ascii_lowercase()) || identifier.is_empty() {
        identifier.insert_str(0, "field_");
    }
    let is_taken = [KEYWORDS, USED_IN_TYPES, ATTRIBUTES].iter().any(|it| it.contains(&&*identifier));
    if is_taken || identifier.starts_with("model_") {
        identifier.push('_');
    }
    identifier
}
