/// What a rule of relabelling does (Prometheus' `relabel_config`); the raw value is the word in a configuration.
package enum RelabelAction: String, CaseIterable, Hashable, Sendable {
  case replace, keep, drop, keepequal, dropequal, hashmod, lowercase, uppercase, labelmap, labeldrop, labelkeep
}

/// One checked rule: source labels are joined, matched and what follows is done.
package struct RelabelRule: Hashable, Sendable {
  package let action: RelabelAction
  package let sourceLabels: [String]
  package let separator: String
  package let regex: RegexProgram
  package let targetLabel: String
  package let replacement: String
  package let modulus: UInt64
  let targetTemplate: ReplacementTemplate
  let replacementTemplate: ReplacementTemplate

  /// What a configuration says of a rule; the defaults are Prometheus'.
  package struct Fields: Hashable, Sendable {
    package var action: String
    package var sourceLabels: [String]
    package var separator: String
    package var regex: String
    package var targetLabel: String
    package var replacement: String
    package var modulus: UInt64

    package init(
      action: String = RelabelAction.replace.rawValue, sourceLabels: [String] = [], separator: String = defaultSeparator,
      regex: String = defaultRegex, targetLabel: String = "", replacement: String = defaultReplacement, modulus: UInt64 = 0
    ) {
      self.action = action
      self.sourceLabels = sourceLabels
      self.separator = separator
      self.regex = regex
      self.targetLabel = targetLabel
      self.replacement = replacement
      self.modulus = modulus
    }
  }

  package static let defaultSeparator = ";"
  package static let defaultRegex = "(.*)"
  package static let defaultReplacement = "$1"

  /// - Throws: `RelabelError` with Prometheus' reason for refusing the rule.
  package init(_ fields: Fields) throws(RelabelError) {
    guard let action = RelabelAction(rawValue: fields.action) else { throw .unknownAction(fields.action) }
    self.action = action
    sourceLabels = fields.sourceLabels
    separator = fields.separator
    targetLabel = fields.targetLabel
    replacement = fields.replacement
    modulus = fields.modulus
    do throws(RegexSyntaxError) {
      regex = try RegexProgram(fields.regex)
    } catch {
      throw .invalidRegex(fields.regex, error)
    }
    targetTemplate = ReplacementTemplate(fields.targetLabel, groupNames: regex.groupNames)
    replacementTemplate = ReplacementTemplate(fields.replacement, groupNames: regex.groupNames)
    try Self.check(fields, action)
  }

  private static func check(_ fields: Fields, _ action: RelabelAction) throws(RelabelError) {
    switch action {
    case .replace, .keepequal, .dropequal, .hashmod, .lowercase, .uppercase:
      guard !fields.targetLabel.isEmpty else { throw .missingTargetLabel(action) }
    default: break
    }
    let hasDefaultReplacement = fields.replacement == defaultReplacement
    let hasDefaultRegex = fields.regex == defaultRegex
    switch action {
    case .hashmod: guard fields.modulus > 0 else { throw .missingModulus }
    case .lowercase, .uppercase: guard hasDefaultReplacement else { throw .replacementNotAllowed(action) }
    case .keepequal, .dropequal:
      guard hasDefaultReplacement else { throw .replacementNotAllowed(action) }
      guard hasDefaultRegex, fields.modulus == 0, fields.separator == defaultSeparator else {
        throw .onlySourceAndTarget(action)
      }
    case .labeldrop, .labelkeep:
      guard fields.sourceLabels.isEmpty, fields.targetLabel.isEmpty, fields.modulus == 0, hasDefaultReplacement,
        fields.separator == defaultSeparator
      else { throw .onlyRegex(action) }
    case .labelmap:
      guard LabelName.isTemplate(fields.replacement) else { throw .invalidReplacement(fields.replacement, action) }
    default: break
    }
  }
}

/// A rule that cannot be used, in Prometheus' words.
package enum RelabelError: Error, Hashable {
  case unknownAction(String)
  case invalidRegex(String, RegexSyntaxError)
  case missingTargetLabel(RelabelAction)
  case missingModulus
  case replacementNotAllowed(RelabelAction)
  case onlySourceAndTarget(RelabelAction)
  case onlyRegex(RelabelAction)
  case invalidReplacement(String, RelabelAction)
}

extension RelabelError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .unknownAction(let word): "unrecognized action type \"\(word)\""
    case .invalidRegex(_, let cause): "\(cause)"
    case .missingTargetLabel(let action):
      "relabel configuration for \(action.rawValue) action requires 'target_label' value"
    case .missingModulus: "relabel configuration for hashmod requires non-zero modulus"
    case .replacementNotAllowed(let action): "'replacement' can not be set for \(action.rawValue) action"
    case .onlySourceAndTarget(let action):
      "\(action.rawValue) action requires only 'source_labels' and `target_label`, and no other fields"
    case .onlyRegex(let action): "\(action.rawValue) action requires only 'regex', and no other fields"
    case .invalidReplacement(let text, let action):
      "\"\(text)\" is invalid 'replacement' for \(action.rawValue) action"
    }
  }
}

/// How names of labels may look.
package enum LabelName {
  /// `[A-Za-z_][A-Za-z0-9_]*`: what every version of the server takes.
  package static func isClassic(_ name: String) -> Bool {
    guard let first = name.utf8.first, !(0x30...0x39).contains(first) else { return false }
    return name.unicodeScalars.allSatisfy { ScalarClass.wordCharacters.contains($0.value) }
  }

  /// A name with references such as `${1}` in it.
  static func isTemplate(_ text: String) -> Bool {
    guard var matcher = template else { return false }
    return matcher.matches(text)
  }

  private static let template = (try? RegexProgram(#"(?:(?:[a-zA-Z_]|\$(?:\{\w+\}|\w+))+\w*)+"#)).map { RegexMatcher($0) }
}
