import Testing

struct ValueTests {
  @Test(arguments: [
    ("1 + 2 * 3", "[7]"), ("(1 + 2) * 3", "[9]"), ("2 ^ 3 ^ 2", "[512]"), ("-2 ^ 2", "[4]"), ("7 / 2", "[3]"), ("7.0 / 2", "[3.5]"),
    ("7 % 4", "[3]"),
    ("1 - 2 - 3", "[-4]"), ("\"a\" + \"b\"", "[\"ab\"]"), ("1 == 1.0", "[true]"), ("\"1\" == 1", "[false]"), ("[1] == [1]", "[true]"),
    ("null == null", "[true]"),
    ("{a = 1} != {a = 2}", "[true]"), ("1 < 2 && 2 < 3", "[true]"), ("false && true || true", "[true]"), ("!true", "[false]"),
    ("\"a\" < \"b\"", "[true]"),
    ("[1, 2, 3,][1]", "[2]"), ("{a = {b = 5}}.a.b", "[5]"), ("{\"x y\" = 5}[\"x y\"]", "[5]"), ("{a = 1}[\"b\"]", "[null]"),
    ("`raw\\n`", "[\"raw\\\\n\"]"),
    ("\"\\u00e9\\x41\\101\\t\"", "[\"éAA\\t\"]"), ("1e3", "[1000.0]"), (".5", "[0.5]"), ("1.", "[1.0]"),
    ("9223372036854775807 + 1", "[9.223372036854776e+18]"),
    ("1 / 0", "division by zero"), ("1 +\n 2", "[3]"), ("1 /* c */ + 2", "[3]"),
    ("nope", "component \"nope\" does not exist or is out of scope"),
    ("{a = 1}.b", "field \"b\" does not exist"), ("[1][2]", "index 2 is out of range of array with length 1"),
    ("1(2)", "1 should be function, got number"),
  ])
  func `an expression has the value the language gives it`(expression: String, value: String) {
    #expect(Reading.value(expression) == value)
  }

  @Test(arguments: [
    ("sys.env(\"HOSTNAME\")", "[\"node-7\"]"), ("sys.env(\"NOPE\")", "[\"\"]"), ("env(\"HOSTNAME\")", "[\"node-7\"]"),
    ("constants.hostname", "[\"host-1\"]"),
    ("constants.os", "[\"linux\"]"), ("coalesce(\"\", null, [], \"x\", \"y\")", "[\"x\"]"), ("coalesce(\"\", 0)", "[0]"),
    ("array.concat([1], [2, 3], [])", "[[1,2,3]]"),
    ("string.join([\"a\", \"b\"], \"-\")", "[\"a-b\"]"), ("string.split(\"a,b,\", \",\")", "[[\"a\",\"b\",\"\"]]"),
    ("string.replace(\"aXbX\", \"X\", \"-\")", "[\"a-b-\"]"),
    ("string.to_upper(\"aé\")", "[\"AÉ\"]"), ("string.to_lower(\"AÉ\")", "[\"aé\"]"), ("string.trim(\"--a-\", \"-\")", "[\"a\"]"),
    ("string.trim_prefix(\"abc\", \"a\")", "[\"bc\"]"),
    ("string.trim_suffix(\"abc\", \"c\")", "[\"ab\"]"), ("string.trim_space(\" a\\n\")", "[\"a\"]"),
    ("string.format(\"%s-%d-%05.2f|%q|%t|%%\", \"a\", 3, 1.5, \"q\", true)", "[\"a-3-01.50|\\\"q\\\"|true|%\"]"),
    ("file.path_join(\"/a\", \"../b\", \"c\")", "[\"/b/c\"]"), ("convert.nonsensitive(\"x\")", "[\"x\"]"),
    ("encoding.from_json(`{\"a\": [1, 2.5, null, true]}`)", "[{\"a\":[1,2.5,null,true]}]"),
    (
      "encoding.from_yaml(`a: [1, 2.5, '3', x]\nb: {c: 0x1f, d: true, e: ~}`)",
      "[{\"a\":[1,2.5,\"3\",\"x\"],\"b\":{\"c\":31,\"d\":true,\"e\":null}}]"
    ),
    ("encoding.from_yaml(\"a: &x 1\")", "line 1: anchors and aliases are not read"),
    ("encoding.to_json({b = 1, a = [2]})", "[\"{\\\"a\\\":[2],\\\"b\\\":1}\"]"), ("encoding.to_base64(\"hi?\")", "[\"aGk/\"]"),
    ("encoding.from_base64(\"aGk/\")", "[\"hi?\"]"),
    ("encoding.to_URLbase64(\"hi?\")", "[\"aGk_\"]"), ("encoding.to_base64(\"a\")", "[\"YQ==\"]"),
    ("encoding.from_base64(\"YQ==\")", "[\"a\"]"), ("encoding.from_base64(\"?\")", "illegal base64 data"),
    ("encoding.url_encode(\"a b&é\")", "[\"a+b%26%C3%A9\"]"), ("encoding.url_decode(\"a+b%26\")", "[\"a b&\"]"),
    ("json_path(`{\"a\": {\"b\": [1, 2]}}`, \".a.b[1]\")", "[[2]]"),
    ("json_path(`[{\"n\": 1}, {\"n\": 2}]`, \"$[*].n\")", "[[1,2]]"), ("json_path(`{\"a\": {\"n\": 1}, \"n\": 2}`, \"$..n\")", "[[2,1]]"),
    (
      "array.combine_maps([{a = \"1\", x = \"l\"}], [{a = \"1\", y = \"r\"}, {a = \"2\"}], [\"a\"])",
      "[[{\"a\":\"1\",\"x\":\"l\",\"y\":\"r\"}]]"
    ),
    ("string.join(1, \"\")", "argument should be array, got number"), ("string.nope(1)", "field \"nope\" does not exist"),
  ])
  func `the standard library answers as Alloy's does`(expression: String, value: String) {
    #expect(Reading.value(expression) == value)
  }
}
