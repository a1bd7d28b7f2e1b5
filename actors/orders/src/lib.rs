//! `POST /orders` takes an order as JSON and answers 201 with its address; `GET` of that address
//! shows it. What it costs is asked of the actor with the call alias `prices`.
//!
//! **Deliberately absent:** where the prices come from and where the orders are kept.

use serde::{Deserialize, Serialize};
use serde_json::json;
use trellis_actor::Code;
use trellis_actor::http_server::{Request, Response};
use trellis_actor::prelude::*;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    article: String,
    count: u32,
}

#[derive(Deserialize)]
struct Quote {
    cents: u64,
}

#[handler(http_server::HandleRequest)]
fn serve(request: Request) -> Result<Response> {
    let segments: Vec<_> = request.segments().collect();
    match (request.method.as_str(), segments.as_slice()) {
        ("POST", ["orders"]) => place(&request.body),
        ("GET", ["orders", id]) => show(id),
        (_, ["orders"]) => Ok(problem(405, "only POST").with_header("allow", "POST")),
        (_, ["orders", _]) => Ok(problem(405, "only GET").with_header("allow", "GET")),
        _ => Ok(problem(404, "there is nothing here")),
    }
}

fn place(body: &[u8]) -> Result<Response> {
    let order: Order = match serde_json::from_slice(body) {
        Ok(order) => order,
        Err(error) => return Ok(problem(400, &format!("the order cannot be read: {error}"))),
    };
    let quote = match actor("prices").call_raw("Quote", &serde_json::to_vec(&order)?) {
        Ok(quote) => quote,
        // `prices` returned an `Err`: its text is for whoever orders.
        Err(error) if error.code() == Code::Guest => return Ok(problem(422, error.message())),
        // `prices` does not run here.
        Err(error) if error.code() == Code::NotFound => {
            return Ok(problem(503, "there are no prices now").with_header("retry-after", "5"));
        }
        // It trapped, was late, may not be called: the host knows which, and answers for us.
        Err(error) => return Err(error.into()),
    };
    let Quote { cents } = serde_json::from_slice(&quote)?;

    let store = keyvalue::default();
    let id = store.add("orders", 1)?.value;
    let Order { article, count } = order;
    let text = json!({"id": id, "article": article, "count": count, "cents": cents}).to_string();
    store.set(&format!("order:{id}"), &text, 0)?;
    let address = format!("/orders/{id}");
    Ok(Response::json(text).with_status(201).with_header("location", &address))
}

fn show(id: &str) -> Result<Response> {
    let order = keyvalue::default().get(&format!("order:{id}"))?;
    if !order.exists {
        return Ok(problem(404, &format!("there is no order {id}")));
    }
    Ok(Response::json(order.value))
}

/// An answer that says what is wrong, in the form of those that the server makes itself.
fn problem(status: u32, message: &str) -> Response {
    Response::json(json!({"error": {"message": message}}).to_string()).with_status(status)
}

#[cfg(test)]
mod tests {
    use trellis_actor::testing::{self, Answer, HostCall};

    use super::*;

    fn send(method: &str, path: &str, body: &str) -> Request {
        Request {
            method: method.into(),
            path: path.into(),
            body: body.into(),
            ..Request::default()
        }
    }

    /// The response to an order, when this comes of calling `prices`; and how many calls were made.
    fn ordered(prices: Answer) -> (Result<Response>, usize) {
        let answer = move |call: &HostCall| match (&*call.namespace, &*call.operation) {
            ("prices", "Quote") => prices.clone(),
            (_, "Add") => testing::reply::<keyvalue::Add>(&keyvalue::Counter { value: 7 }),
            _ => testing::reply::<keyvalue::Set>(&keyvalue::Stored::default()),
        };
        let order = send("POST", "/orders", r#"{"article": "tea", "count": 2}"#);
        let (response, calls) = testing::with_host(answer, || serve(order));
        (response, calls.len())
    }

    fn text(response: &Response) -> &str {
        std::str::from_utf8(&response.body).expect("text")
    }

    fn refused(code: &str) -> Answer {
        Err(format!("{code}: why"))
    }

    #[test]
    fn an_order_gets_a_price_and_an_address() {
        let (response, calls) = ordered(Ok(br#"{"cents":900}"#.to_vec()));
        let response = response.expect("answers");
        assert_eq!(response.status_code, 201);
        assert_eq!(response.header.get("location").map(String::as_str), Some("/orders/7"));
        assert_eq!(text(&response), r#"{"article":"tea","cents":900,"count":2,"id":7}"#);
        assert_eq!(calls, 3);
    }

    #[test]
    fn what_comes_of_the_call_decides_the_answer() {
        for (code, status, says) in [
            ("E_GUEST", 422, r#"{"error":{"message":"why"}}"#),
            ("E_NOT_FOUND", 503, r#"{"error":{"message":"there are no prices now"}}"#),
        ] {
            let (response, calls) = ordered(refused(code));
            let response = response.expect(code);
            assert_eq!((response.status_code, text(&response)), (status, says), "{code}");
            assert_eq!(calls, 1, "nothing is kept");
        }
        for code in ["E_TRAP", "E_TIMEOUT", "E_DENIED", "E_PROVIDER"] {
            let (response, calls) = ordered(refused(code));
            assert_eq!(response.expect_err(code).text(), format!("{code}: why"));
            assert_eq!(calls, 1, "nothing is kept");
        }
    }

    #[test]
    fn what_is_no_order_is_told_so() {
        for (request, status) in [
            (send("POST", "/orders", "tea"), 400),
            (send("POST", "/orders", r#"{"article": "tea", "count": -1}"#), 400),
            (send("POST", "/orders", r#"{"article": "tea", "count": 1, "gift": true}"#), 400),
            (send("GET", "/orders", ""), 405),
            (send("DELETE", "/orders/7", ""), 405),
            (send("GET", "/", ""), 404),
        ] {
            let what = format!("{} {}", request.method, request.path);
            assert_eq!(serve(request).expect("answers").status_code, status, "{what}");
        }
    }

    #[test]
    fn an_order_is_shown_when_there_is_one() {
        for (exists, status) in [(true, 200), (false, 404)] {
            let found = keyvalue::Lookup { value: "{}".into(), exists };
            let answer = move |_: &HostCall| testing::reply::<keyvalue::Get>(&found);
            let (response, calls) =
                testing::with_host(answer, || serve(send("GET", "/orders/7", "")));
            assert_eq!(response.expect("answers").status_code, status);
            assert_eq!(calls[0].operation, "Get");
        }
    }
}
