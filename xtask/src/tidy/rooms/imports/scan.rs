//! What a file says: its modules, the names that they define and import, and the paths that their code names.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::Visit;
use syn::{Attribute, Item, UseTree, Visibility};

use super::Path;

/// The modules of a crate by their path.
#[derive(Default)]
pub(super) struct Scanned {
    pub(super) scopes: BTreeMap<Path, Scope>,
    /// Modules that only tests have.
    tests: BTreeSet<Path>,
}

/// A module.
#[derive(Default)]
pub(super) struct Scope {
    /// The file it is written in.
    pub(super) file: String,
    /// Names that it imports or passes on, with what they stand for.
    pub(super) names: BTreeMap<String, Path>,
    /// Modules of which it imports or passes on everything.
    pub(super) globs: Vec<Path>,
    /// Names that it defines.
    pub(super) items: BTreeSet<String>,
    /// Modules in separate files.
    pub(super) parts: BTreeSet<String>,
    /// Paths as written, in order.
    pub(super) used: Vec<Path>,
}

impl Scanned {
    pub(super) fn add(&mut self, inner: &str, module: Path, parsed: &syn::File) {
        let mut reader = Reader { scanned: self, file: inner.to_owned(), module };
        reader.begin();
        if !parsed.attrs.iter().any(is_of_tests) {
            reader.visit_file(parsed);
        }
    }

    /// Whether the module or one around it is there for tests only.
    pub(super) fn is_of_tests(&self, module: &[String]) -> bool {
        (0..=module.len()).any(|n| self.tests.contains(&module[..n]))
    }
}

/// Walks a file, a module at a time.
struct Reader<'a> {
    scanned: &'a mut Scanned,
    file: String,
    module: Path,
}

impl Reader<'_> {
    fn begin(&mut self) {
        self.scope().file = self.file.clone();
    }

    fn scope(&mut self) -> &mut Scope {
        self.scanned.scopes.entry(self.module.clone()).or_default()
    }

    /// Takes a tree of imports apart. What is passed on is not used thereby.
    fn import(&mut self, before: &Path, tree: &UseTree, passes_on: bool) {
        let with = |name: &syn::Ident| [before.as_slice(), &[name.to_string()]].concat();
        let (name, path) = match tree {
            UseTree::Path(it) => return self.import(&with(&it.ident), &it.tree, passes_on),
            UseTree::Group(it) => {
                return it.items.iter().for_each(|tree| self.import(before, tree, passes_on));
            }
            UseTree::Glob(_) => {
                self.scope().globs.push(before.clone());
                if !passes_on {
                    self.scope().used.push(before.clone());
                }
                return;
            }
            UseTree::Name(it) if it.ident == "self" => (before.last().cloned(), before.clone()),
            UseTree::Name(it) => (Some(it.ident.to_string()), with(&it.ident)),
            UseTree::Rename(it) if it.ident == "self" => (Some(it.rename.to_string()), before.clone()),
            UseTree::Rename(it) => (Some(it.rename.to_string()), with(&it.ident)),
        };
        if !passes_on {
            self.scope().used.push(path.clone());
        }
        self.scope().names.extend(name.map(|it| (it, path)));
    }

    /// The paths in a macro's call, which is not parsed.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path = Path::new();
        let mut n_colons = 0;
        for token in tokens {
            match token {
                TokenTree::Punct(it) if it.as_char() == ':' => {
                    n_colons += 1;
                    continue;
                }
                TokenTree::Ident(it) if n_colons == 2 && !path.is_empty() => path.push(it.to_string()),
                TokenTree::Ident(it) => {
                    self.token_path(std::mem::take(&mut path));
                    path.push(it.to_string());
                }
                other => {
                    self.token_path(std::mem::take(&mut path));
                    if let TokenTree::Group(group) = other {
                        self.tokens(group.stream());
                    }
                }
            }
            n_colons = 0;
        }
        self.token_path(path);
    }

    fn token_path(&mut self, path: Path) {
        let is_type = path.first().and_then(|it| it.chars().next()).is_some_and(char::is_uppercase);
        if path.len() > 1 || is_type {
            self.scope().used.push(path);
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if attributes(item).iter().any(is_of_tests) {
            if let Item::Mod(it) = item {
                let module = [self.module.as_slice(), &[it.ident.to_string()]].concat();
                self.scanned.tests.insert(module);
            }
            return;
        }
        if let Some(name) = defined(item) {
            self.scope().items.insert(name);
        }
        match item {
            Item::Use(it) => {
                let passes_on = !matches!(it.vis, Visibility::Inherited);
                self.import(&Path::new(), &it.tree, passes_on);
            }
            Item::Mod(it) if it.content.is_none() => {
                self.scope().parts.insert(it.ident.to_string());
            }
            Item::Mod(it) => {
                self.module.push(it.ident.to_string());
                self.begin();
                syn::visit::visit_item(self, item);
                self.module.pop();
            }
            _ => syn::visit::visit_item(self, item),
        }
    }

    fn visit_impl_item(&mut self, item: &'ast syn::ImplItem) {
        let is_test = match item {
            syn::ImplItem::Fn(it) => it.attrs.iter().any(is_of_tests),
            syn::ImplItem::Const(it) => it.attrs.iter().any(is_of_tests),
            _ => false,
        };
        if !is_test {
            syn::visit::visit_impl_item(self, item);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            let written = path.segments.iter().map(|it| it.ident.to_string()).collect();
            self.scope().used.push(written);
        }
        syn::visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.visit_path(&call.path);
        self.tokens(call.tokens.clone());
    }

    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

/// `#[cfg(test)]`, also among other conditions.
fn is_of_tests(attribute: &Attribute) -> bool {
    let syn::Meta::List(list) = &attribute.meta else { return false };
    if !list.path.is_ident("cfg") {
        return false;
    }
    let mut tokens = list.tokens.clone().into_iter();
    match tokens.next() {
        Some(TokenTree::Ident(it)) if it == "test" => true,
        Some(TokenTree::Ident(it)) if it == "all" => match tokens.next() {
            Some(TokenTree::Group(group)) => {
                group.stream().to_string().split(',').any(|it| it.trim() == "test")
            }
            _ => false,
        },
        _ => false,
    }
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(it) => &it.attrs,
        Item::Enum(it) => &it.attrs,
        Item::Fn(it) => &it.attrs,
        Item::Impl(it) => &it.attrs,
        Item::Macro(it) => &it.attrs,
        Item::Mod(it) => &it.attrs,
        Item::Static(it) => &it.attrs,
        Item::Struct(it) => &it.attrs,
        Item::Trait(it) => &it.attrs,
        Item::Type(it) => &it.attrs,
        Item::Use(it) => &it.attrs,
        _ => &[],
    }
}

/// The name that an item gives to something.
fn defined(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(it) => &it.ident,
        Item::Enum(it) => &it.ident,
        Item::Fn(it) => &it.sig.ident,
        Item::Static(it) => &it.ident,
        Item::Struct(it) => &it.ident,
        Item::Trait(it) => &it.ident,
        Item::Type(it) => &it.ident,
        Item::Union(it) => &it.ident,
        _ => return None,
    };
    Some(name.to_string())
}
