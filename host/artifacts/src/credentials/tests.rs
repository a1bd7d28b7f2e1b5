use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::*;

const SECRET: &str = "canary-7c1f";

fn login() -> Login {
    Login::new("ada".to_owned(), Zeroizing::new(SECRET.to_owned()))
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("the file")).expect("JSON")
}

#[tokio::test]
async fn what_is_kept_is_found_and_nothing_else_changes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("docker/config.json");
    let credentials = Credentials::at(path.clone());
    assert!(credentials.of("localhost:5000").await.expect("no file is no fault").is_none());
    let place = credentials.keep("localhost:5000", &login()).await.expect("it is kept");
    assert_eq!(place, path.display().to_string());
    let mode = fs::metadata(&path).expect("the file").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "{mode:o}");

    let mut content = read(&path);
    content["HttpHeaders"] = json!({ "a": [1, 2] });
    content["auths"]["other"] = json!({ "auth": "b3RoZXI6cHc=", "email": "e" });
    fs::write(&path, content.to_string()).expect("docker writes it");
    credentials.keep("docker.io", &login()).await.expect("it is kept");
    let known = credentials.of("docker.io").await.expect("readable").expect("it is there");
    assert_eq!((&*known.username, &**known.password), ("ada", SECRET));
    assert!(read(&path)["auths"]["https://index.docker.io/v1/"]["auth"].is_string());
    assert_eq!(read(&path)["HttpHeaders"], content["HttpHeaders"]);
    assert_eq!(read(&path)["auths"]["other"], content["auths"]["other"]);

    assert!(credentials.forget("localhost:5000").await.expect("it is forgotten"));
    assert!(!credentials.forget("localhost:5000").await.expect("there is nothing"));
    assert!(credentials.of("localhost:5000").await.expect("readable").is_none());
    assert!(credentials.of("other").await.expect("readable").is_some());
}

#[tokio::test]
async fn a_file_that_is_wrong_is_refused_and_shows_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("config.json");
    let credentials = Credentials::at(path.clone());
    for content in [
        format!("{{\"auths\": {SECRET}"),
        json!({ "auths": { "r": { "auth": SECRET } } }).to_string(),
        json!({ "auths": { "r": { "identitytoken": SECRET } } }).to_string(),
        json!({ "credsStore": format!("../{SECRET}") }).to_string(),
        format!("\"{SECRET}\""),
    ] {
        fs::write(&path, &content).expect("it is writable");
        let error = credentials.of("r").await.expect_err("it is wrong");
        assert_eq!(error.code(), Code::Credentials);
        assert!(!format!("{error:?}{error}").contains(SECRET), "{error}");
    }
    assert!(!format!("{:?}", login()).contains(SECRET));
}
