use super::*;

fn read_host(target: &str, hosts: &[&str], version: Version) -> Result<String, String> {
    let mut request = http::Request::builder().uri(target).version(version);
    for host in hosts {
        request = request.header("host", *host);
    }
    let (head, ()) = request
        .body(())
        .map_err(|error| error.to_string())?
        .into_parts();
    read(&head)
        .map(|arrived| arrived.host().to_owned())
        .map_err(|refusal| refusal.detail.into_owned())
}

#[test]
fn the_host_is_one_and_the_same_everywhere() {
    let one = Version::HTTP_11;
    assert_eq!(
        read_host("/a", &["API.example.com:8080"], one).as_deref(),
        Ok("api.example.com")
    );
    assert_eq!(
        read_host("http://a.example/x", &["A.example"], one).as_deref(),
        Ok("a.example")
    );
    assert_eq!(read_host("/a", &[], Version::HTTP_10).as_deref(), Ok(""));
    for (target, hosts, message) in [
        ("/a", vec![], "the request has no `Host`"),
        ("/a", vec!["a", "b"], "the request has more than one `Host`"),
        ("/a", vec!["a b"], "`Host` is not a host"),
        ("/a", vec!["a:b"], "`Host` is not a host"),
        ("/a", vec!["a:80:90"], "`Host` is not a host"),
        (
            "http://a:x.evil/x",
            vec!["a:x.evil"],
            "`Host` is not a host",
        ),
        ("/a", vec!["admin@a"], "`Host` holds a user name"),
        (
            "http://a/x",
            vec!["b"],
            "`Host` is not the host of the request target",
        ),
    ] {
        assert_eq!(
            read_host(target, &hosts, one).err().as_deref(),
            Some(message),
            "{target} {hosts:?}"
        );
    }
}
