//! A provider of a contract of its own, `demo:geo`: where places are.
//!
//! Built with `cargo build -p trellis-providers-sdk --features process --example geo`, and named
//! under `providers` in a manifest: `- process: PATH`.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use trellis_core::{CallError, Code, Contract};
use trellis_providers_sdk::{
    BoxFuture, Call, Context, Counter, Created, Descriptor, Provider, ProviderFactory, Reply,
    Sample, Scope, Setting, SettingKind, ValueError, ValueProblem, Values, Wanted, process,
};

mod geo {
    //! The contract: its messages, its operations and the trait of who serves it.

    trellis_macros::contract! { "geo.wit", aliases: [] }
}

const CONTRACTS: &[Contract] = &[geo::CONTRACT];

const SETTINGS: &[Setting] = &[Setting::new(
    "PLACES",
    Scope::Provider,
    SettingKind::Text,
    None,
    "More places: `NAME=LATITUDE,LONGITUDE;...`.",
)];

fn main() -> ExitCode {
    process::main(Factory)
}

struct Factory;

impl ProviderFactory for Factory {
    fn descriptor(&self) -> Descriptor {
        let texts = ("geo", env!("CARGO_PKG_VERSION"), "Knows where a few places are.");
        Descriptor::new(texts, CONTRACTS, SETTINGS)
    }

    fn validate(&self, wanted: &Wanted) -> Vec<ValueProblem> {
        let mut problems = Vec::new();
        wanted.read_each(&mut problems, places);
        problems
    }

    fn create(&self, _: Context, values: Values) -> Created {
        Box::pin(async move {
            let geo = Geo { places: places(&values)?, lookups: Counter::default() };
            Ok(Arc::new(geo) as Arc<dyn Provider>)
        })
    }
}

struct Geo {
    places: BTreeMap<String, (f64, f64)>,
    lookups: Counter,
}

impl geo::Provider for Geo {
    type Caller = ();

    async fn locate(
        &self,
        (): &(),
        geo::LocateRequest { name }: geo::LocateRequest,
    ) -> Result<geo::Place, CallError> {
        self.lookups.inc();
        let Some((latitude, longitude)) = self.places.get(&name).copied() else {
            let known: Vec<_> = self.places.keys().map(String::as_str).collect();
            let text = format!("no place `{name}` is known; known are: {}", known.join(", "));
            return Err(CallError::new(Code::NotFound, text));
        };
        Ok(geo::Place { name, latitude, longitude })
    }
}

impl Provider for Geo {
    fn call(&self, call: Call) -> BoxFuture<'_, Reply> {
        Box::pin(async move { geo::serve(self, &(), &call.operation, &call.payload).await })
    }

    fn samples(&self) -> Vec<Sample> {
        vec![Sample::counter("geo_lookups", "Places that were asked for", self.lookups.get())]
    }
}

/// The places that are built in, and those of the values.
fn places(values: &Values) -> Result<BTreeMap<String, (f64, f64)>, ValueError> {
    let built_in =
        [("Berlin", (52.52, 13.405)), ("Lima", (-12.0464, -77.0428)), ("Oslo", (59.9139, 10.7522))];
    let mut places: BTreeMap<_, _> =
        built_in.into_iter().map(|(name, at)| (name.to_owned(), at)).collect();
    for place in values.get("PLACES").unwrap_or_default().split(';').filter(|it| !it.is_empty()) {
        let (name, at) = read(place).ok_or_else(|| {
            ValueError::new("PLACES", "PLACES has an entry that is no place")
                .help("write `NAME=LATITUDE,LONGITUDE`, and `;` between two of them")
        })?;
        places.insert(name, at);
    }
    Ok(places)
}

fn read(place: &str) -> Option<(String, (f64, f64))> {
    let (name, at) = place.split_once('=')?;
    let (latitude, longitude) = at.split_once(',')?;
    let (latitude, longitude): (f64, f64) =
        (latitude.trim().parse().ok()?, longitude.trim().parse().ok()?);
    let is_place = latitude.abs() <= 90.0 && longitude.abs() <= 180.0;
    is_place.then(|| (name.trim().to_owned(), (latitude, longitude)))
}
