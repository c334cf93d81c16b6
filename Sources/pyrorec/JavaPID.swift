import ArgumentParser

/// A value of `record --java`: a process, or all JVMs.
enum JavaPID: Hashable, ExpressibleByArgument {
  case all
  case process(UInt32)

  init?(argument: String) {
    if argument == "all" {
      self = .all
    } else if let process = UInt32(argument) {
      self = .process(process)
    } else {
      return nil
    }
  }

  var process: UInt32? {
    if case .process(let process) = self { process } else { nil }
  }

  /// An option that may have no value at all looks like one that was not given: `--java` alone becomes `--java all`.
  static func namingAll(in arguments: [String]) -> [String] {
    var result: [String] = []
    for (place, argument) in arguments.enumerated() {
      if argument == "--" { return result + arguments[place...] }
      result.append(argument)
      guard argument == "--java" else { continue }
      let next = place + 1 < arguments.count ? arguments[place + 1] : ""
      if JavaPID(argument: next) == nil { result.append("all") }
    }
    return result
  }
}
