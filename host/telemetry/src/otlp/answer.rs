//! What a receiver answers, as far as it is read: how much of what it took it rejected.

/// What was sent and is not kept, and why.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Rejected {
    /// So many spans, or data points.
    pub(crate) count: u64,
    /// The receiver's own words.
    pub(crate) why: String,
}

/// The `partial_success` of an `ExportTraceServiceResponse` or an `ExportMetricsServiceResponse`,
/// which are alike. What cannot be read says nothing.
pub(crate) fn rejected(answer: &[u8]) -> Rejected {
    let mut rejected = Rejected::default();
    for (field, value) in Fields(answer) {
        if let (1, Value::Bytes(partial)) = (field, value) {
            for (field, value) in Fields(partial) {
                match (field, value) {
                    (1, Value::Number(count)) => {
                        rejected.count = u64::try_from(count.cast_signed()).unwrap_or(0);
                    }
                    (2, Value::Bytes(why)) => {
                        rejected.why = String::from_utf8_lossy(why).into_owned();
                    }
                    _ => {}
                }
            }
        }
    }
    rejected
}

/// The fields of a message, until its end or one that cannot be read.
struct Fields<'a>(&'a [u8]);

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// Of a fixed size, which nothing here is.
    Other,
}

impl<'a> Iterator for Fields<'a> {
    type Item = (u64, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let key = self.number()?;
        let value = match key & 7 {
            0 => Value::Number(self.number()?),
            1 => self.take(8).map(|_| Value::Other)?,
            2 => {
                let length = usize::try_from(self.number()?).ok()?;
                Value::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Value::Other)?,
            _ => return None,
        };
        Some((key >> 3, value))
    }
}

impl<'a> Fields<'a> {
    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let [byte] = *self.take(1)? else { return None };
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::metrics::v1 as metrics;
    use opentelemetry_proto::tonic::collector::trace::v1 as traces;
    use proptest::prelude::*;
    use prost::Message;

    use super::*;

    #[test]
    fn what_is_rejected_is_read_of_both_signals() {
        let error_message = "too old".to_owned();
        let wanted = Rejected { count: 300, why: error_message.clone() };
        let partial_success = Some(traces::ExportTracePartialSuccess {
            rejected_spans: 300,
            error_message: error_message.clone(),
        });
        let answer = traces::ExportTraceServiceResponse { partial_success };
        assert_eq!(rejected(&answer.encode_to_vec()), wanted);
        let partial_success =
            Some(metrics::ExportMetricsPartialSuccess { rejected_data_points: 300, error_message });
        let answer = metrics::ExportMetricsServiceResponse { partial_success };
        assert_eq!(rejected(&answer.encode_to_vec()), wanted);
        assert_eq!(rejected(b""), Rejected::default());
    }

    proptest! {
        #[test]
        fn any_answer_can_be_read(answer in proptest::collection::vec(any::<u8>(), 0..64)) {
            rejected(&answer);
        }
    }
}
