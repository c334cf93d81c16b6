import Base
import Testing
@testable import Configuration

private func read(_ text: String) throws -> JSONValue { try YAMLReader.read(Array(text.utf8)) }

private func json(_ text: String) throws -> JSONValue { try JSONReader.read(Array(text.utf8)) }

private func failure(_ text: String) -> YAMLReader.Failure? {
  do throws(YAMLReader.Failure) {
    _ = try YAMLReader.read(Array(text.utf8))
    return nil
  } catch {
    return error
  }
}

@Suite struct YAMLTests {
  static let cases: [(String, String)] = [
    ("", "null"), ("\n# nothing\n", "null"), ("a: b", "{\"a\":\"b\"}"), ("---\na: 1\n...\nb: 2", "{\"a\":\"1\"}"),
    ("a: true\nb: False\nc: ~\nd:\ne: null", "{\"a\":true,\"b\":false,\"c\":null,\"d\":null,\"e\":null}"),
    ("a:\n  b:\n    c: d\n  e: f\ng: h", "{\"a\":{\"b\":{\"c\":\"d\"},\"e\":\"f\"},\"g\":\"h\"}"),
    ("a:\n- b\n- c\nd: e", "{\"a\":[\"b\",\"c\"],\"d\":\"e\"}"), ("a:\n  - b\n  -   c\n", "{\"a\":[\"b\",\"c\"]}"),
    ("- a: 1\n  b: 2\n- a: 3\n-\n  b: 4\n- - x\n  - y\n", "[{\"a\":\"1\",\"b\":\"2\"},{\"a\":\"3\"},{\"b\":\"4\"},[\"x\",\"y\"]]"),
    ("a: b # comment\nc: d#e\n# f\ng: 'h # i'", "{\"a\":\"b\",\"c\":\"d#e\",\"g\":\"h # i\"}"),
    ("server: https://h:6443/x", "{\"server\":\"https://h:6443/x\"}"),
    ("'a b': 'it''s'\n\"c\\u00e9\": \"x\\ty\\\\\"", "{\"a b\":\"it's\",\"cé\":\"x\\ty\\\\\"}"),
    ("a: \"\\ud83d\\ude00\"", "{\"a\":\"😀\"}"),
    ("a: {b: c, \"d\": [e, 'f', {}], g: }", "{\"a\":{\"b\":\"c\",\"d\":[\"e\",\"f\",{}],\"g\":null}}"),
    ("{\n  \"a\": [\n    true,\n    \"b\"\n  ],\n  \"c\": {\"d\": \"e:f\"}\n}\n", "{\"a\":[true,\"b\"],\"c\":{\"d\":\"e:f\"}}"),
    ("[a, b,]", "[\"a\",\"b\"]"), ("a: |\n  x\n   y\n\n  z\n\nb: c", "{\"a\":\"x\\n y\\n\\nz\\n\",\"b\":\"c\"}"),
    ("a: |-\n  x\n  y\n", "{\"a\":\"x\\ny\"}"), ("a: |+\n  x\n\nb: c", "{\"a\":\"x\\n\\n\",\"b\":\"c\"}"),
    ("a: >\n  x\n  y\n\n  z\n", "{\"a\":\"x y\\nz\\n\"}"),
    ("- |\n  x\n- y", "[\"x\\n\",\"y\"]"), ("a: - b", "{\"a\":\"- b\"}"), ("a:   \r\n  b: c\r\n", "{\"a\":{\"b\":\"c\"}}"),
    ("\u{feff}a: b", "{\"a\":\"b\"}"),
  ]

  @Test(arguments: cases) func `what kubeconfig files are written in is read`(text: String, expected: String) throws {
    #expect(try read(text) == json(expected))
  }

  static let refused: [(String, Int)] = [
    ("a: &x b", 1), ("a: *x", 1), ("a: !!str b", 1), ("a: b\na: c", 2), ("a: b\n   c: d", 2), ("a: 'b", 1), ("a: \"b\\q\"", 1),
    ("a: {b: c", 1),
    ("a: [b\n", 1), ("a: b\n\tc: d", 2), ("a: b: c", 1), ("a: 'b' c", 1), ("a: @b", 1), ("a: b\n- c", 2), ("a\nb: c", 2),
    ("%YAML 1.2\n---\na: b", 2),
    ("a: b\n---\nc: d", 2), ("a: {b: c, b: d}", 1), ("a: |x\n  b", 1), ("{a b}", 1), (String(repeating: "[", count: 5000), 1),
    (String(repeating: "- ", count: 5000) + "a", 1),
  ]

  @Test(arguments: refused) func `what is not read is refused with its line`(text: String, line: Int) {
    #expect(failure(text)?.line == line)
  }

  @Test func `a file cut anywhere or with any byte changed ends in a value or an error`() throws {
    let bytes = Array(Self.cases.map(\.0).joined(separator: "\n").utf8)
    var ended = 0
    for length in bytes.indices {
      if (try? YAMLReader.read(Array(bytes[..<length]))) != nil { ended += 1 }
      for byte in [UInt8(ascii: ":"), UInt8(ascii: "{"), UInt8(ascii: "\""), UInt8(ascii: "-"), 0x20, 0x0a, 0xff] {
        var changed = Array(bytes[max(0, length - 60)..<min(bytes.count, length + 60)])
        changed[min(60, length)] = byte
        if (try? YAMLReader.read(changed)) != nil { ended += 1 }
      }
    }
    #expect(ended > 0)
  }
}
