/// What is said about a sample beside its stack: a number for each distinct list of labels.
package struct SampleLabels: Hashable, Sendable {
  package let rawValue: UInt32
  package init(_ rawValue: UInt32) { self.rawValue = rawValue }
  /// No labels.
  package static let none = SampleLabels(0)
  package var index: Int { Int(rawValue) }
}

/// Stacks and what they weigh.
package struct SampleTable: Sendable {
  var stackTable = StackTable()
  var stacks: [ProfileStack] = []
  /// As many a sample as the profile has sample types.
  var values: [Int64] = []
  /// Each distinct list of labels once, one after another; the first one is empty.
  var labels: [SampleLabel] = []
  var labelEnds = [0]
  var labelsOfSample: [SampleLabels] = []
  /// What collapsed text starts a line with; empty when threads were not told apart.
  package internal(set) var threadNames: [StringHandle] = []

  package var count: Int { stacks.count }

  mutating func reserve(_ samples: Int) {
    stacks.reserveCapacity(samples)
    values.reserveCapacity(samples)
    labelsOfSample.reserveCapacity(samples)
    threadNames.reserveCapacity(samples)
  }

  func labelRange(_ list: SampleLabels) -> Range<Int> {
    (list == .none ? 0 : labelEnds[list.index - 1])..<labelEnds[list.index]
  }

  /// The stack of sample `index`, leaf first.
  package func locations(_ index: Int) -> StackLocations { StackLocations(stacks[index], stackTable) }
  package func labels(_ index: Int) -> ArraySlice<SampleLabel> { labels[labelRange(labelsOfSample[index])] }
}

extension SampleTable: Hashable {
  /// Whether the samples are the same, whichever nodes their stacks have.
  package static func == (one: SampleTable, other: SampleTable) -> Bool {
    one.count == other.count && one.values == other.values && one.labels == other.labels
      && one.labelEnds == other.labelEnds && one.labelsOfSample == other.labelsOfSample
      && one.threadNames == other.threadNames
      && one.stacks.indices.allSatisfy { one.stackTable.isSame(one.stacks[$0], other.stacks[$0], of: other.stackTable) }
  }

  package func hash(into hasher: inout Hasher) {
    hasher.combine(values)
    hasher.combine(labelsOfSample)
    hasher.combine(threadNames)
  }
}

/// Finds the lists of labels of a growing `SampleTable` again.
struct LabelIndex: Sendable {
  private var known: [[SampleLabel]: SampleLabels] = [[]: .none]

  mutating func number(of labels: [SampleLabel], in table: inout SampleTable) -> SampleLabels {
    if labels.isEmpty { return .none }
    if let last = table.labelsOfSample.last, table.labels[table.labelRange(last)].elementsEqual(labels) { return last }
    if let number = known[labels] { return number }
    // At most 2^32 lists: more would not fit in memory.
    let number = SampleLabels(UInt32(table.labelEnds.count))
    table.labels += labels
    table.labelEnds.append(table.labels.count)
    known[labels] = number
    return number
  }
}
