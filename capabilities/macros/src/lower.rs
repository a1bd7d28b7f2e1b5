//! From the parsed WIT file to the model; what has no form on the wire is refused.
//!
//! Problems are collected, so one compilation shows all of them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use quote::{ToTokens, quote};
use wit_parser::{
    Docs, Function, InterfaceId, Span, Type as WitType, TypeDefKind, TypeId, TypeOwner, WorldItem,
};

use crate::input::Arguments;
use crate::model::{Case, Field, Input, Model, Operation, Traits, Type, TypeDecl, TypeKind};
use crate::names;
use crate::source::Wit;

/// Lowers the whole file.
///
/// # Errors
/// Every problem of the file, combined.
pub(crate) fn lower(wit: &Wit, arguments: &Arguments) -> syn::Result<Model> {
    let lowering = Lowering { wit, arguments, problems: RefCell::default() };
    let model = lowering.model()?;
    lowering.check_names(&model);
    lowering.check_methods(&model);
    lowering.check_options(&model);
    lowering
        .problems
        .into_inner()
        .into_iter()
        .reduce(|mut all, next| {
            all.combine(next);
            all
        })
        .map_or(Ok(model), Err)
}

struct Lowering<'a> {
    wit: &'a Wit,
    arguments: &'a Arguments,
    problems: RefCell<Vec<syn::Error>>,
}

impl Lowering<'_> {
    fn model(&self) -> syn::Result<Model> {
        let world = self.wit.world()?;
        let name = &self.wit.resolve.packages[self.wit.package].name;
        let id = format!("{}:{}", name.namespace, name.name).replace('-', "_");
        let mut seen = BTreeSet::new();
        let (mut types, mut functions) = (Vec::new(), Vec::new());
        for (to_provider, items) in [(true, &world.imports), (false, &world.exports)] {
            for item in items.values() {
                match item {
                    WorldItem::Interface { id, .. } => {
                        if seen.insert(*id) {
                            types.extend(self.interface_types(*id));
                        }
                        let interface = &self.wit.resolve.interfaces[*id];
                        functions.extend(interface.functions.values().map(|f| (to_provider, f)));
                    }
                    WorldItem::Function(function) => functions.push((to_provider, function)),
                    WorldItem::Type { id, .. } => types.push(*id),
                }
            }
        }
        let operations: Vec<_> =
            functions.iter().map(|(to_provider, f)| self.operation(*to_provider, f)).collect();
        if operations.is_empty() {
            self.problem(world.span, "`world actor` imports and exports no function");
        }
        let errors: BTreeSet<_> =
            functions.iter().filter_map(|(_, f)| self.error_type(f)).collect();
        let types = types.into_iter().filter_map(|id| self.declaration(id, &errors)).collect();
        let aliases = self.arguments.aliases.iter().map(syn::LitStr::value).collect();
        Ok(Model { id, aliases, types, operations })
    }

    fn interface_types(&self, id: InterfaceId) -> Vec<TypeId> {
        self.wit.resolve.interfaces[id].types.values().copied().collect()
    }

    /// The declaration of a named type; `None` when a `use` brought it in or it is written by hand.
    fn declaration(&self, id: TypeId, errors: &BTreeSet<TypeId>) -> Option<TypeDecl> {
        let def = &self.wit.resolve.types[id];
        let name = def.name.clone()?;
        if self.used_from_elsewhere(id).is_some() || self.arguments.with.contains_key(&name) {
            return None;
        }
        let what = format!("{} `{name}`", def.kind.as_str());
        let kind = match &def.kind {
            TypeDefKind::Record(record) => TypeKind::Record(
                record.fields.iter().map(|field| self.field(&name, field)).collect(),
            ),
            TypeDefKind::Enum(kinds) => {
                let cases = kinds.cases.iter();
                let case = |case: &wit_parser::EnumCase| {
                    self.case(&what, (&case.name, &case.docs, case.span), None)
                };
                TypeKind::Variant(cases.map(case).collect())
            }
            TypeDefKind::Variant(variant) => {
                let cases = variant.cases.iter();
                let case = |case: &wit_parser::Case| {
                    self.case(&what, (&case.name, &case.docs, case.span), case.ty)
                };
                TypeKind::Variant(cases.map(case).collect())
            }
            kind => {
                let aliased = match kind {
                    TypeDefKind::Type(ty) => self.ty(ty, def.span, &what),
                    kind => self.kind(kind, def.span, &what),
                };
                TypeKind::Alias(aliased)
            }
        };
        let is_error = errors.contains(&id);
        if is_error {
            self.check_error_type(&kind, def.span, &what);
        }
        Some(TypeDecl { doc: self.doc(&def.docs, def.span, &what), name, kind, is_error })
    }

    fn field(&self, record: &str, field: &wit_parser::Field) -> Field {
        let what = format!("field `{}` of record `{record}`", field.name);
        let also = self.arguments.reads_also.get(&format!("{record}.{}", field.name));
        Field {
            name: field.name.clone(),
            doc: self.doc(&field.docs, field.span, &what),
            ty: self.ty(&field.ty, field.span, &what),
            also: also.map(|(_, key)| key.value()),
        }
    }

    fn case(&self, of: &str, (name, docs, at): (&str, &Docs, Span), ty: Option<WitType>) -> Case {
        let what = format!("case `{name}` of {of}");
        Case {
            name: name.to_owned(),
            doc: self.doc(docs, at, &what),
            ty: ty.map(|ty| self.ty(&ty, at, &what)),
        }
    }

    fn operation(&self, to_provider: bool, function: &Function) -> Operation {
        let what = format!("function `{}`", function.name);
        let parameters = function.params.iter().map(|parameter| {
            let part = format!("parameter `{}` of {what}", parameter.name);
            let doc = format!("The `{}` of [`{}`].", parameter.name, names::pascal(&function.name));
            let ty = self.ty(&parameter.ty, parameter.span, &part);
            Field { name: parameter.name.clone(), doc, ty, also: None }
        });
        let mut parameters: Vec<_> = parameters.collect();
        let input = match parameters.as_slice() {
            [] => Input::Empty,
            [Field { ty: Type::Named(_, Traits { record: true, .. }), .. }] => {
                let field = parameters.remove(0);
                Input::Record(field.name, field.ty)
            }
            _ => Input::Parameters(parameters),
        };
        let output = match self.result_of(function) {
            Some((ok, _)) => ok,
            None => function.result,
        };
        let output = output.map(|ty| self.ty(&ty, function.span, &format!("the result of {what}")));
        let doc = self.doc(&function.docs, function.span, &what);
        Operation { name: function.name.clone(), doc, to_provider, input, output }
    }

    /// The two sides of a function's `result<T, E>`.
    fn result_of(&self, function: &Function) -> Option<(Option<WitType>, Option<WitType>)> {
        let WitType::Id(id) = function.result? else { return None };
        match &self.wit.resolve.types[id].kind {
            TypeDefKind::Result(result) => Some((result.ok, result.err)),
            _ => None,
        }
    }

    fn error_type(&self, function: &Function) -> Option<TypeId> {
        match self.result_of(function)?.1? {
            WitType::Id(id) => {
                let id = self.used_from_elsewhere(id).unwrap_or(id);
                if self.wit.resolve.types[id].name.is_none() {
                    self.problem(function.span, ERROR_FORM);
                }
                Some(id)
            }
            WitType::String => None,
            _ => {
                self.problem(function.span, ERROR_FORM);
                None
            }
        }
    }

    fn check_error_type(&self, kind: &TypeKind, at: Span, what: &str) {
        let fits = match kind {
            TypeKind::Variant(cases) => {
                cases.iter().all(|case| matches!(case.ty, None | Some(Type::String)))
            }
            _ => false,
        };
        if !fits {
            self.problem(at, &format!("{what} is used as an error: {ERROR_FORM}"));
        }
    }

    fn ty(&self, ty: &WitType, at: Span, what: &str) -> Type {
        use WitType as W;
        let plain = match ty {
            W::Bool => "bool",
            W::U8 => "u8",
            W::U16 => "u16",
            W::U32 => "u32",
            W::U64 => "u64",
            W::S8 => "i8",
            W::S16 => "i16",
            W::S32 => "i32",
            W::S64 => "i64",
            W::F32 => "f32",
            W::F64 => "f64",
            W::String => return Type::String,
            W::Char => return self.refuse("char", "use `string`", at, what),
            W::ErrorContext => {
                return self.refuse("error-context", "use `result<T, E>`", at, what);
            }
            W::Id(id) => return self.reference(*id, at, what),
        };
        Type::Plain(plain)
    }

    fn reference(&self, id: TypeId, at: Span, what: &str) -> Type {
        let id = self.used_from_elsewhere(id).unwrap_or(id);
        let def = &self.wit.resolve.types[id];
        let Some(name) = &def.name else { return self.kind(&def.kind, at, what) };
        let record = matches!(def.kind, TypeDefKind::Record(_));
        if let Some((_, path)) = self.arguments.with.get(name) {
            return Type::Named(path.to_token_stream(), Traits { default: false, record });
        }
        let path = names::type_name(name).to_token_stream();
        Type::Named(path, Traits { default: self.defaults(id), record })
    }

    /// Whether the generated type of `id` implements `Default`.
    fn defaults(&self, id: TypeId) -> bool {
        let has = |ty: &WitType| match ty {
            WitType::Id(id) => self.defaults(*id),
            _ => true,
        };
        let def = &self.wit.resolve.types[id];
        if def.name.as_ref().is_some_and(|name| self.arguments.with.contains_key(name)) {
            return false;
        }
        match &def.kind {
            TypeDefKind::Enum(_) | TypeDefKind::Variant(_) => false,
            TypeDefKind::Record(record) => record.fields.iter().all(|field| has(&field.ty)),
            TypeDefKind::Type(ty) => has(ty),
            _ => true,
        }
    }

    fn kind(&self, kind: &TypeDefKind, at: Span, what: &str) -> Type {
        match kind {
            TypeDefKind::Option(inner) => Type::Option(Box::new(self.ty(inner, at, what))),
            TypeDefKind::List(WitType::U8) => Type::Bytes,
            TypeDefKind::List(inner) => match self.string_pair(inner) {
                Some(value) => Type::Pairs(Box::new(self.ty(&value, at, what))),
                None => Type::List(Box::new(self.ty(inner, at, what))),
            },
            TypeDefKind::Tuple(_) => self.refuse("tuple", "use a record", at, what),
            TypeDefKind::Flags(_) => self.refuse("flags", "use a record of `bool`", at, what),
            TypeDefKind::Map(..) => self.refuse("map", "use `list<tuple<string, T>>`", at, what),
            TypeDefKind::FixedLengthList(..) => {
                self.refuse("fixed-length list", "use `list<T>`", at, what)
            }
            TypeDefKind::Result(_) => {
                self.refuse("result", "only a function may return a result", at, what)
            }
            other => self.refuse(other.as_str(), "a message is data and is sent whole", at, what),
        }
    }

    /// `T`, when the type is `tuple<string, T>`.
    fn string_pair(&self, ty: &WitType) -> Option<WitType> {
        let WitType::Id(id) = ty else { return None };
        match &self.wit.resolve.types[*id].kind {
            TypeDefKind::Tuple(tuple) => match tuple.types.as_slice() {
                [WitType::String, value] => Some(*value),
                _ => None,
            },
            _ => None,
        }
    }

    /// The type that a `use` brought in with this id.
    fn used_from_elsewhere(&self, id: TypeId) -> Option<TypeId> {
        let types = &self.wit.resolve.types;
        let TypeDefKind::Type(WitType::Id(target)) = &types[id].kind else { return None };
        let elsewhere =
            types[id].owner != types[*target].owner && types[*target].owner != TypeOwner::None;
        elsewhere.then(|| self.used_from_elsewhere(*target).unwrap_or(*target))
    }

    fn doc(&self, docs: &Docs, at: Span, what: &str) -> String {
        match docs.contents.as_deref().map(str::trim) {
            Some(text) if !text.is_empty() => text.to_owned(),
            _ => {
                self.problem(at, &format!("{what} has no documentation: write `///` above it"));
                String::new()
            }
        }
    }

    /// Two items with one name would clash in Rust, or be one operation on the wire.
    fn check_names(&self, model: &Model) {
        let mut taken = BTreeMap::from([
            ("Client".to_owned(), "the generated client"),
            ("Provider".to_owned(), "the generated trait"),
        ]);
        let types = model.types.iter().map(|ty| (names::pascal(&ty.name), "a type"));
        let operations = model.operations.iter().flat_map(|operation| {
            let name = names::pascal(&operation.name);
            let request = matches!(operation.input, Input::Parameters(_))
                .then(|| (format!("{name}Request"), "the parameters of an operation"));
            [(name, "an operation")].into_iter().chain(request)
        });
        for (name, what) in types.chain(operations) {
            if let Some(other) = taken.insert(name.clone(), what) {
                let message = format!("{what} and {other} would both have the name `{name}`");
                self.problems.borrow_mut().push(self.wit.problem(None, &message));
            }
        }
    }

    /// Operations must not have the names of the client's own methods.
    fn check_methods(&self, model: &Model) {
        for operation in model.operations.iter().filter(|operation| operation.to_provider) {
            if matches!(operation.name.as_str(), "new" | "binding" | "clone") {
                let message = format!(
                    "function `{}`: the generated client has a method with this name; choose another name",
                    operation.name
                );
                self.problems.borrow_mut().push(self.wit.problem(None, &message));
            }
        }
    }

    /// An option that names nothing is a typo.
    fn check_options(&self, model: &Model) {
        let resolve = &self.wit.resolve;
        for (name, (literal, _)) in &self.arguments.with {
            if !resolve.types.iter().any(|(_, ty)| ty.name.as_ref() == Some(name)) {
                let message = format!("the WIT file has no type `{name}`");
                self.problems.borrow_mut().push(syn::Error::new(literal.span(), message));
            }
        }
        let has_field = |path: &str| {
            model.types.iter().any(|ty| match &ty.kind {
                TypeKind::Record(fields) => {
                    fields.iter().any(|field| format!("{}.{}", ty.name, field.name) == path)
                }
                _ => false,
            })
        };
        for (path, (literal, _)) in &self.arguments.reads_also {
            if !has_field(path) {
                let message = format!("the WIT file has no record field `{path}`");
                self.problems.borrow_mut().push(syn::Error::new(literal.span(), message));
            }
        }
    }

    fn refuse(&self, kind: &str, instead: &str, at: Span, what: &str) -> Type {
        self.problem(at, &format!("{what}: `{kind}` has no form on the wire; {instead}"));
        Type::Named(quote!(()), Traits { default: true, record: false })
    }

    fn problem(&self, at: Span, message: &str) {
        self.problems.borrow_mut().push(self.wit.problem(Some(at), message));
    }
}

const ERROR_FORM: &str = "the error of a `result` must be `string`, an enum, or a variant whose cases carry `string` or nothing";
