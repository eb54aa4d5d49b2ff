use lockgate_fuzzing::near;

use super::*;

static GET: Method = Method::GET;

/// A request with these fields.
pub fn view<'a>(headers: &'a HeaderMap, query: Option<&'a str>) -> RequestView<'a> {
    RequestView {
        method: &GET,
        scheme: "https",
        host: "api.example.com",
        path: "/orders",
        query,
        version: Version::HTTP_11,
        headers,
        client: IpAddr::from([192, 0, 2, 1]),
        certificate: None,
        body: Body::Absent,
        variables: &[],
        identity: None,
        prompt: None,
    }
}

/// Fields, one a line.
pub fn fields(text: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in text.split(|byte| *byte == b'\n') {
        let colon = line
            .iter()
            .position(|byte| *byte == b':')
            .unwrap_or(line.len());
        let (name, value) = line.split_at(colon);
        if let (Ok(name), Ok(value)) = (
            http::HeaderName::from_bytes(name),
            http::HeaderValue::from_bytes(value.get(1..).unwrap_or_default().trim_ascii()),
        ) {
            headers.append(name, value);
        }
    }
    headers
}

const SEEDS: &[&str] = &[
    "cookie: a=b; session=secret; c=d",
    "cookie: session=1\ncookie: session=2",
    "cookie: session =1;session= 2;;=;x",
    "x-a: 1\nx-a: 2, 3\nx-a: ",
];
const WORDS: &[&str] = &[
    "\n", "cookie: ", "session", "=", ";", " ", "\t", "\"", ",", "\u{ff}", "x-a: ", "%3d",
];

#[test]
fn policies_see_every_value_of_a_field_and_every_cookie_of_a_name() {
    bolero::check!()
        .with_iterations(4_000)
        .with_generator(near(SEEDS, WORDS))
        .for_each(|input| {
            let headers = fields(input);
            let request = view(&headers, None);
            let lines: Vec<_> = headers.get_all("x-a").iter().collect();
            match request.header("x-a") {
                Some(joined) => {
                    let texts: Vec<_> = lines.iter().map(|line| line.to_str().unwrap()).collect();
                    assert_eq!(joined, texts.join(", "));
                }
                None => {
                    assert!(lines.is_empty() || lines.iter().any(|line| line.to_str().is_err()))
                }
            }
            // Count as a lenient reader would: names without the spaces around them.
            let sent = headers
                .get_all(http::header::COOKIE)
                .iter()
                .flat_map(|line| line.as_bytes().split(|byte| *byte == b';'))
                .filter_map(|pair| {
                    pair.iter()
                        .position(|byte| *byte == b'=')
                        .map(|at| &pair[..at])
                })
                .filter(|name| name.trim_ascii() == b"session")
                .count();
            let seen = request
                .cookies()
                .filter(|(name, _)| *name == b"session")
                .count();
            assert_eq!(seen, sent);
        });
}
