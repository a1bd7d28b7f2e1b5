//! The environment variables of OpenTelemetry.
//!
//! Source: <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/> and
//! <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>.

use std::str::FromStr;
use std::time::Duration;

use percent_encoding::percent_decode_str;

/// What the environment says. An empty variable counts as unset, as the convention has it.
pub(crate) struct Variables<'a> {
    env: &'a dyn Fn(&str) -> Option<String>,
    /// What cannot be understood, each with what it should be.
    pub(crate) problems: Vec<String>,
    /// What may be meant otherwise than it is understood.
    pub(crate) remarks: Vec<String>,
}

impl<'a> Variables<'a> {
    pub(crate) const fn new(env: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { env, problems: Vec::new(), remarks: Vec::new() }
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        (self.env)(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// The variable of a signal, else that of all: `OTEL_EXPORTER_OTLP_TRACES_HEADERS`.
    pub(crate) fn of_signal(&self, signal: &str, name: &str) -> Option<(String, String)> {
        let signal = signal.to_ascii_uppercase();
        let names =
            [format!("OTEL_EXPORTER_OTLP_{signal}_{name}"), format!("OTEL_EXPORTER_OTLP_{name}")];
        names.into_iter().find_map(|name| self.text(&name).map(|text| (name, text)))
    }

    /// `true` in any case of its letters; everything else is false, as the convention has it, and
    /// worth a remark unless it says so.
    pub(crate) fn is_true(&mut self, name: &str) -> bool {
        let Some(text) = self.text(name) else { return false };
        let is = |word: &str| text.eq_ignore_ascii_case(word);
        if !is("true") && !is("false") {
            self.remark(name, "counts as `false`: OpenTelemetry knows `true` and `false` alone");
        }
        is("true")
    }

    /// A number of at least `least`.
    pub(crate) fn number<N: FromStr + PartialOrd>(
        &mut self,
        name: &str,
        least: N,
        form: &str,
    ) -> Option<N> {
        let text = self.text(name)?;
        let number = text.parse().ok().filter(|number| *number >= least);
        if number.is_none() {
            self.problem(name, form);
        }
        number
    }

    /// A time in milliseconds.
    pub(crate) fn time(&mut self, name: &str) -> Option<Duration> {
        self.number(name, 1, "a time in milliseconds, from 1").map(Duration::from_millis)
    }

    /// Pairs such as `a=1,b=2`, with percent-encoded values.
    pub(crate) fn pairs(&mut self, name: &str) -> Vec<(String, String)> {
        let Some(text) = self.text(name) else { return Vec::new() };
        let read = pairs(&text);
        if read.is_none() {
            self.problem(name, "pairs such as `name=value,other=value`");
        }
        read.unwrap_or_default()
    }

    /// What may be meant otherwise.
    pub(crate) fn remark(&mut self, name: &str, what: &str) {
        once(&mut self.remarks, format!("{name} {what}"));
    }

    /// The text itself may be secret: it is not told.
    pub(crate) fn problem(&mut self, name: &str, form: &str) {
        once(&mut self.problems, format!("{name} must be {form}"));
    }
}

/// Both signals may read one variable.
fn once(told: &mut Vec<String>, text: String) {
    if !told.contains(&text) {
        told.push(text);
    }
}

/// The pairs in a text; `None` when it is none.
pub(crate) fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let pair = |item: &str| {
        let (name, value) = item.split_once('=')?;
        let name = name.trim();
        let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
        (!name.is_empty()).then(|| (name.to_owned(), value.into_owned()))
    };
    text.split(',').filter(|item| !item.trim().is_empty()).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_read_as_baggage_is() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let all = [pair("api-key", "a b="), pair("x", "")];
        assert_eq!(pairs(" api-key = a%20b= , x=,").as_deref(), Some(&all[..]));
        for text in ["a", "=b", "a=1,b", "a=%ff"] {
            assert_eq!(pairs(text), None, "{text}");
        }
    }
}
