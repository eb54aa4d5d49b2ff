"""One call, written in eight languages."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from lockgate.control.portal.schemas import example

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockgate.control.portal.catalogue import Version
    from lockgate.control.portal.reference import Operation, Reference
    from lockgate.control.portal.words import Credential


@dataclass(frozen=True)
class Call:
    """A call to write."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: str | None
    variable: str
    """The environment variable that holds the credential; empty when none is needed."""
    credential: Credential | None = None


@dataclass(frozen=True)
class Sample:
    """A call in a language."""

    language: str
    code: str


def call_of(
    version: Version, operation: Operation, host: str, credential: Credential | None, application: str
) -> Call:
    """The call of an operation with what it requires, and examples for values.

    Args:
        version: Of which API.
        operation: Which.
        host: Where callers reach the gateway, such as `https://api.example.com`.
        credential: How the caller proves who it is.
        application: The reader's application, whose name the variable of the key has.
    """
    reference = version.reference
    if reference is None:
        message = "only what an OpenAPI document describes has samples"
        raise ValueError(message)
    path, query, headers = operation.path, [], []
    for one in reference.parameters(operation):
        value = _written(one.example if one.example is not None else example(reference, one.schema))
        if one.place == "path":
            path = path.replace(f"{{{one.name}}}", quote(value, safe=""))
        elif one.is_required and one.place == "query":
            query.append((one.name, value))
        elif one.is_required and one.place == "header":
            headers.append((one.name, value))
    body = _body(reference, operation)
    if body:
        headers.append(("Content-Type", body[0]))
    address = f"{host.rstrip('/')}{version.path(path)}"
    if query:
        address = f"{address}?{urlencode(query)}"
    name = "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in application.upper())
    variable = (f"{name}_KEY" if name and not name[0].isdigit() else "API_KEY") if credential else ""
    return Call(operation.method, address, tuple(headers), body[1] if body else None, variable, credential)


def samples(call: Call) -> list[Sample]:
    """The call in each language."""
    return [Sample(language, write(call)) for language, write in _LANGUAGES.items()]


def _body(reference: Reference, operation: Operation) -> tuple[str, str] | None:
    body = reference.body(operation)
    if body is None or not body.media:
        return None
    media = body.media[0]
    value = media.examples[0][1] if media.examples else example(reference, media.schema)
    if isinstance(value, str) and not media.is_json:
        return media.type, value
    return media.type, json.dumps(value, ensure_ascii=False, indent=2)


def _written(value: Any) -> str:  # noqa: ANN401 - examples are of any kind
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(_written(one) for one in value)
    if isinstance(value, dict):
        return json.dumps(value, separators=(",", ":"))
    return "1" if value is None else str(value)


# ---- each language: the text in its quotes, where the key comes from, and the call


def _all_headers(call: Call, quoted: Callable[[str], str], key: str, plus: str) -> list[tuple[str, str]]:
    """Names and values as expressions; that of the credential is put together by the language."""
    found = [(quoted(name), quoted(value)) for name, value in call.headers]
    credential = call.credential
    if credential and credential.place == "header":
        value = f"{quoted(credential.prefix)}{plus}{key}" if credential.prefix else key
        found.insert(0, (quoted(credential.name), value))
    if credential and credential.place == "cookie":
        found.insert(0, (quoted("Cookie"), f"{quoted(f'{credential.name}=')}{plus}{key}"))
    return found


def _url(call: Call, quoted: Callable[[str], str], key: str, plus: str) -> str:
    credential = call.credential
    if not credential or credential.place != "query":
        return quoted(call.url)
    joint = "&" if "?" in call.url else "?"
    return f"{quoted(f'{call.url}{joint}{quote(credential.name)}=')}{plus}{key}"


def _shell(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _curl(call: Call) -> str:
    def in_double(text: str) -> str:
        for letter in '\\"$`':
            text = text.replace(letter, f"\\{letter}")
        return text

    key = f"${call.variable}"
    credential = call.credential
    url = _shell(call.url)
    lines = []
    if credential and credential.place == "query":
        joint = "&" if "?" in call.url else "?"
        url = f'"{in_double(call.url)}{joint}{quote(credential.name)}={key}"'
    if credential and credential.place == "header":
        lines.append(f'-H "{in_double(credential.name)}: {in_double(credential.prefix)}{key}"')
    if credential and credential.place == "cookie":
        lines.append(f'-H "Cookie: {in_double(credential.name)}={key}"')
    lines += [f"-H {_shell(f'{name}: {value}')}" for name, value in call.headers]
    if call.body is not None:
        lines.append(f"--data-binary {_shell(call.body)}")
    method = {"GET": "", "HEAD": " --head"}.get(call.method, f" -X {call.method}")
    return " \\\n  ".join([f"curl -i{method} {url}", *lines])


def _python(call: Call) -> str:
    headers = _all_headers(call, _json, "key", " + ")
    shown = ", ".join(f"{name}: {value}" for name, value in headers)
    lines = ["import os", "import urllib.request", ""]
    if call.variable:
        lines.append(f'key = os.environ["{call.variable}"]')
    lines += ["request = urllib.request.Request(", f"    {_url(call, _json, 'key', ' + ')},"]
    lines += [f"    method={_json(call.method)},", f"    headers={{{shown}}},"]
    if call.body is not None:
        lines.append(f"    data={_json(call.body)}.encode(),")
    lines += [")", "with urllib.request.urlopen(request) as answer:"]
    lines.append("    print(answer.status, answer.read().decode())")
    return "\n".join(lines if call.variable else [line for line in lines if line != "import os"])


def _javascript(call: Call) -> str:
    headers = _all_headers(call, _json, "key", " + ")
    lines = [f"const key = process.env.{call.variable};"] if call.variable else []
    lines.append(f"const answer = await fetch({_url(call, _json, 'key', ' + ')}, {{")
    lines.append(f"  method: {_json(call.method)},")
    if headers:
        lines.append(f"  headers: {{ {', '.join(f'{name}: {value}' for name, value in headers)} }},")
    if call.body is not None:
        lines.append(f"  body: {_json(call.body)},")
    lines += ["});", "console.log(answer.status, await answer.text());"]
    return "\n".join(lines)


def _go(call: Call) -> str:
    body = f"strings.NewReader({_go_text(call.body)})" if call.body is not None else "nil"
    key = f'os.Getenv("{call.variable}")'
    packages = ["fmt", "io", "net/http"]
    packages += ["os"] if call.variable else []
    packages += ["strings"] if call.body is not None else []
    lines = ["package main", "", "import (", *(f'\t"{name}"' for name in packages), ")", "", "func main() {"]
    url = _url(call, _go_text, key, " + ")
    lines.append(f"\trequest, err := http.NewRequest({_go_text(call.method)}, {url}, {body})")
    lines += ["\tif err != nil {", "\t\tpanic(err)", "\t}"]
    for name, value in _all_headers(call, _go_text, key, " + "):
        lines.append(f"\trequest.Header.Set({name}, {value})")
    lines += ["\tanswer, err := http.DefaultClient.Do(request)", "\tif err != nil {", "\t\tpanic(err)", "\t}"]
    lines += ["\tdefer answer.Body.Close()", "\tbody, _ := io.ReadAll(answer.Body)"]
    lines += ["\tfmt.Println(answer.StatusCode, string(body))", "}"]
    return "\n".join(lines)


def _java(call: Call) -> str:
    key = f'System.getenv("{call.variable}")'
    body = (
        f"BodyPublishers.ofString({_java_text(call.body)})"
        if call.body is not None
        else "BodyPublishers.noBody()"
    )
    lines = ["import java.net.URI;", "import java.net.http.HttpClient;", "import java.net.http.HttpRequest;"]
    lines += [
        "import java.net.http.HttpRequest.BodyPublishers;",
        "import java.net.http.HttpResponse.BodyHandlers;",
    ]
    lines += ["", "class Call {", "    public static void main(String[] args) throws Exception {"]
    lines.append(
        f"        var request = HttpRequest.newBuilder(URI.create({_url(call, _java_text, key, ' + ')}))"
    )
    lines += [
        f"            .header({name}, {value})" for name, value in _all_headers(call, _java_text, key, " + ")
    ]
    lines += [f"            .method({_java_text(call.method)}, {body})", "            .build();"]
    lines.append("        var answer = HttpClient.newHttpClient().send(request, BodyHandlers.ofString());")
    lines += ['        System.out.println(answer.statusCode() + " " + answer.body());', "    }", "}"]
    return "\n".join(lines)


def _csharp(call: Call) -> str:
    key = f'Environment.GetEnvironmentVariable("{call.variable}")'
    lines = ["using var client = new HttpClient();"]
    url = _url(call, _java_text, key, " + ")
    lines.append(
        f"using var request = new HttpRequestMessage(new HttpMethod({_java_text(call.method)}), {url});"
    )
    for name, value in _all_headers(call, _java_text, key, " + "):
        if name != _java_text("Content-Type"):
            lines.append(f"request.Headers.TryAddWithoutValidation({name}, {value});")
    if call.body is not None:
        kind = next((value for name, value in call.headers if name == "Content-Type"), "text/plain")
        lines.append(f"request.Content = new StringContent({_java_text(call.body)});")
        parsed = f"System.Net.Http.Headers.MediaTypeHeaderValue.Parse({_java_text(kind)})"
        lines.append(f"request.Content.Headers.ContentType = {parsed};")
    lines.append("using var answer = await client.SendAsync(request);")
    lines.append('Console.WriteLine($"{(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync()}");')
    return "\n".join(lines)


def _php(call: Call) -> str:
    key = f"getenv({_php_text(call.variable)})"
    credential = call.credential
    lines = ["<?php", f"$call = curl_init({_url(call, _php_text, key, ' . ')});"]
    shown = [_php_text(f"{name}: {value}") for name, value in call.headers]
    if credential and credential.place != "query":
        start = (
            f"{credential.name}: {credential.prefix}"
            if credential.place == "header"
            else f"Cookie: {credential.name}="
        )
        shown.insert(0, f"{_php_text(start)} . {key}")
    lines += ["curl_setopt_array($call, [", f"    CURLOPT_CUSTOMREQUEST => {_php_text(call.method)},"]
    lines += [f"    CURLOPT_HTTPHEADER => [{', '.join(shown)}],", "    CURLOPT_RETURNTRANSFER => true,"]
    if call.body is not None:
        lines.append(f"    CURLOPT_POSTFIELDS => {_php_text(call.body)},")
    lines += ["]);", "$body = curl_exec($call);"]
    lines.append("echo curl_getinfo($call, CURLINFO_RESPONSE_CODE), ' ', $body, PHP_EOL;")
    return "\n".join(lines)


def _ruby(call: Call) -> str:
    key = f"ENV.fetch({_ruby_text(call.variable)})"
    lines = ['require "net/http"', "", f"uri = URI({_url(call, _ruby_text, key, ' + ')})"]
    has_body = "true" if call.body is not None else "false"
    lines.append(f"request = Net::HTTPGenericRequest.new({_ruby_text(call.method)}, {has_body}, true, uri)")
    lines += [f"request[{name}] = {value}" for name, value in _all_headers(call, _ruby_text, key, " + ")]
    if call.body is not None:
        lines.append(f"request.body = {_ruby_text(call.body)}")
    lines.append('answer = Net::HTTP.start(uri.host, uri.port, use_ssl: uri.scheme == "https") do |http|')
    lines += ["  http.request(request)", "end", "puts answer.code, answer.body"]
    return "\n".join(lines)


def _json(text: str) -> str:
    """A text as Python and JavaScript write it, too; Python has no surrogates."""
    return json.dumps(text, ensure_ascii=False)


def _java_text(text: str | None) -> str:
    # JSON's escapes are also those of Java and C#, but for the two that JSON does not need.
    return json.dumps(text or "").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _go_text(text: str | None) -> str:
    # Go has no surrogates; what is not ASCII stands as it is.
    return json.dumps(text or "", ensure_ascii=False)


def _ruby_text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("#", "\\#")


def _php_text(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


_LANGUAGES: Final[dict[str, Callable[[Call], str]]] = {
    "curl": _curl,
    "Python": _python,
    "JavaScript": _javascript,
    "Go": _go,
    "Java": _java,
    "C#": _csharp,
    "PHP": _php,
    "Ruby": _ruby,
}
