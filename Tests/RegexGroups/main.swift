import Base
import Targets

// regex-groups: reads lines of JSON, {"p": PATTERN, "t": [TEXT…]}, and writes a line for each:
//   invalid                         the pattern is refused
//   S,E,S,E…|none|…                 the offsets of each group, a text behind the other
// What our engines do not agree on is said instead: `differs MATCHES AUTOMATON …`.

func shown(_ slots: [Int32]?) -> String {
  guard let slots else { return "none" }
  return slots.map { String($0) }.joined(separator: ",")
}

while let line = readLine() {
  guard let value = try? JSONReader.read(Array(line.utf8)), let pattern = value["p"]?.text, let texts = value["t"]?.elements else {
    print("unreadable")
    continue
  }
  let program: RegexProgram
  do { program = try RegexProgram(pattern) } catch {
    print("invalid \(error.reason)")
    continue
  }
  var engines = RegexEngines(program)
  let answers = texts.compactMap(\.text).map { text -> String in
    let answer = engines.answers(for: Array(text.utf8))
    let isMatch = answer.groups != nil
    let agree =
      answer.matches == isMatch && answer.automaton == isMatch && answer.captures == answer.groups
      && (answer.backtracker ?? answer.groups) == answer.groups && (!isMatch || answer.hasPrefix)
    return agree
      ? shown(answer.groups)
      : "differs \(answer.matches) \(answer.automaton) \(shown(answer.groups)) \(shown(answer.backtracker ?? nil)) \(shown(answer.captures)) \(answer.hasPrefix)"
  }
  print(answers.joined(separator: "|"))
}
