use lockgate_fuzzing::near;

use super::*;

const SEEDS: &[&str] = &[
    "/orders/{id}",
    "/files/{*rest}",
    "/a/{b}/c/{d}/",
    "/",
    "/caf%C3%A9/{x-y_z}",
];
const WORDS: &[&str] = &[
    "/", "{", "}", "{x}", "{*x}", "{}", "{*}", "*", "..", ".", "%2f", "%41", "%", ";", "//",
    "\u{e9}", " ",
];

#[test]
fn each_template_finds_the_paths_it_describes_and_gives_their_variables() {
    bolero::check!()
        .with_iterations(4_000)
        .with_generator(near(SEEDS, WORDS))
        .for_each(|input| {
            let Ok(template) = Template::parse(&input.text()) else {
                return;
            };
            assert!(template.segments.len() <= MAX_SEGMENTS);
            let mut path = String::new();
            let mut expected = Vec::new();
            for (at, segment) in template.segments.iter().enumerate() {
                path.push('/');
                match segment {
                    Segment::Text(text) => path.push_str(text),
                    Segment::Variable(name) => {
                        let value = format!("v{at}");
                        path.push_str(&value);
                        expected.push((name.as_str(), value));
                    }
                    Segment::Rest(name) => {
                        path.push_str("r/e/s/t");
                        expected.push((name.as_str(), "r/e/s/t".to_owned()));
                    }
                }
            }
            // Templates are written as canonical paths are.
            assert_eq!(crate::canonical::canonical_path(&path).unwrap(), path);
            let mut router = Router::default();
            router.add(None, &template, Conditions::default(), 7);
            let found = router.find("a", &path, &Method::GET, &HeaderMap::new());
            assert_eq!(found, Found::Route(7), "{path}");
            let variables = template.variables(&path);
            let variables: Vec<_> = variables
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned()))
                .collect();
            assert_eq!(variables, expected);
        });
}

#[test]
fn any_path_is_answered() {
    let mut router = Router::default();
    for (at, seed) in SEEDS.iter().enumerate() {
        router.add(
            None,
            &Template::parse(seed).unwrap(),
            Conditions::default(),
            at,
        );
    }
    bolero::check!()
        .with_iterations(2_000)
        .with_generator(near(SEEDS, WORDS))
        .for_each(|input| {
            let path = input.text();
            if let Found::Route(at) = router.find("a", &path, &Method::GET, &HeaderMap::new()) {
                let template = Template::parse(SEEDS[at]).unwrap();
                assert_eq!(template.variables(&path).len(), template.names().len());
            }
        });
}
