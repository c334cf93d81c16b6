package import Targets

extension ComponentKind {
  package static let discoveryRelabel = ComponentKind(
    name: "discovery.relabel", role: .relabel,
    schema: BlockSchema(
      arguments: [BlockSchema.required("targets", .targets)],
      blocks: [BlockSchema.Nested(name: "rule", schema: rule, isRepeatable: true)]))

  private static let rule = BlockSchema(
    arguments: [
      BlockSchema.optional("action", .string, .string(RelabelAction.replace.rawValue)),
      BlockSchema.optional("source_labels", .list(.string), .array([])),
      BlockSchema.optional("separator", .string, .string(RelabelRule.defaultSeparator)),
      BlockSchema.optional("regex", .string, .string(RelabelRule.defaultRegex)),
      BlockSchema.optional("target_label", .string, .string("")),
      BlockSchema.optional("replacement", .string, .string(RelabelRule.defaultReplacement)),
      BlockSchema.optional("modulus", .integer, .number(.integer(0))),
    ],
    validate: { block in
      do throws(RelabelError) {
        _ = try RelabelRule(block.ruleFields)
        return block.integer("modulus") < 0 ? [.init("modulus must not be negative", at: "modulus")] : []
      } catch {
        let place: String? =
          switch error {
          case .unknownAction: "action"
          case .invalidRegex: "regex"
          case .replacementNotAllowed, .invalidReplacement: "replacement"
          default: nil
          }
        return [.init("\(error)", at: place)]
      }
    })
}

extension DecodedBlock {
  var ruleFields: RelabelRule.Fields {
    var fields = RelabelRule.Fields()
    fields.action = string("action")
    fields.sourceLabels = strings("source_labels")
    fields.separator = string("separator")
    fields.regex = string("regex")
    fields.targetLabel = string("target_label")
    fields.replacement = string("replacement")
    fields.modulus = UInt64(clamping: integer("modulus"))
    return fields
  }

  /// The rules of a `discovery.relabel` that has been checked.
  package var relabelRules: [RelabelRule] { blocks("rule").compactMap { try? RelabelRule($0.ruleFields) } }
}
