import Base

/// What one unit is asked, and what it says.
struct UnitQuestion: Sendable {
  /// Its number in the file.
  var unit: Int32
  /// Ascending.
  var targets: [UInt64]
  /// Which of all addresses the targets are.
  var numbers: [Int32]
  /// Only `.debug_aranges` says that the targets are the unit's.
  var isHint: Bool
}

/// What one unit says of addresses that lie in it.
struct UnitAnswer: Sendable {
  var frames = UnitFrames()
  var prepared: PreparedUnit?
  /// It refers to a unit that is not in the list.
  var lacksUnits = false
  /// Targets, by their place among all, that are not in the code the unit states; `frames` leaves them out.
  var foreign: [Int] = []
}

/// What was found in one call.
struct FoundFrames {
  var frames: DebugFrames
  var batch: PreparedBatch?

  init(frames: DebugFrames) { self.frames = frames }

  init(
    _ addresses: [UInt64], _ frames: DebugFrames, _ prepared: [(unit: Int32, prepared: PreparedUnit)], _ map: AddressMap,
    isPreparing: Bool
  ) {
    self.frames = frames
    guard isPreparing else { return }
    let nowhere = addresses.indices.filter { frames.places[$0].unit < 0 }.map { addresses[$0] }
    batch = PreparedBatch(prepared.sorted { $0.unit < $1.unit }, map, nowhere: nowhere)
  }
}

/// Addresses by the unit to be asked about them.
private struct UnitQuestions {
  private(set) var list: [UnitQuestion] = []
  private var place: [Int32: Int] = [:]

  mutating func add(_ address: UInt64, _ number: Int32, to unit: Int32, isHint: Bool) {
    let index: Int
    if let known = place[unit] {
      index = known
    } else {
      index = list.count
      place[unit] = index
      list.append(UnitQuestion(unit: unit, targets: [], numbers: [], isHint: isHint))
    }
    list[index].targets.append(address)
    list[index].numbers.append(number)
  }
}

extension DebugFile {
  func find(_ addresses: [UInt64], _ workers: Int, _ preparation: PreparationBudget?) -> FoundFrames {
    let budget = budget(addressCount: addresses.count)
    if let packed = sections.packedInfo {
      if let found = UnitStream(self, packed, addresses, preparation, budget).find(workers: workers) { return found }
      // Units that refer to one another have to be there together.
      do throws(MalformedInput) {
        let whole = try DebugFile(file, alternate, split, workers: workers, streamsFrom: .max)
        return whole.find(addresses, workers, preparation)
      } catch {
        return FoundFrames(frames: DebugFrames(noneFor: addresses.count, problem: error))
      }
    }
    var questions = UnitQuestions()
    var from = 0
    for (number, address) in addresses.enumerated() {
      if let unit = map.unit(at: address, from: &from) {
        questions.add(address, Int32(number), to: unit, isHint: isListed[Int(unit)])
      } else if let unit = unlisted.unit(at: address, workers: workers) {
        questions.add(address, Int32(number), to: unit, isHint: isListed[Int(unit)])
      }
    }
    var result = DebugFrames(noneFor: addresses.count)
    var prepared: [(unit: Int32, prepared: PreparedUnit)] = []
    var foreign: [Int32] = []
    for (question, answer) in zip(questions.list, answers(to: questions.list, workers, preparation, budget)) {
      foreign += result.add(answer, to: question)
      if let unit = answer.prepared { prepared.append((question.unit, unit)) }
    }
    if !foreign.isEmpty {
      // A unit that states the code itself has it; where none does, the table is all there is.
      var questions = UnitQuestions()
      for number in foreign.sorted() {
        let address = addresses[Int(number)]
        guard let unit = unlisted.unit(at: address, workers: workers) ?? map.unit(at: address, from: &from) else { continue }
        questions.add(address, number, to: unit, isHint: false)
      }
      for (question, answer) in zip(questions.list, answers(to: questions.list, workers, nil, budget)) {
        _ = result.add(answer, to: question)
      }
    }
    guard !budget.isSpent else {
      return FoundFrames(frames: DebugFrames(noneFor: addresses.count, problem: WorkBudget.problem))
    }
    return FoundFrames(addresses, result, prepared, map, isPreparing: preparation != nil)
  }

  /// In the order of the questions.
  private func answers(
    to questions: [UnitQuestion], _ workers: Int, _ preparation: PreparationBudget?, _ budget: WorkBudget
  ) -> [UnitAnswer] {
    // The largest first, so that none of them is left for one thread at the end.
    let order = questions.indices.sorted {
      let (a, b) = (headers[Int(questions[$0].unit)], headers[Int(questions[$1].unit)])
      return (b.end - b.start, $0) < (a.end - a.start, $1)
    }
    let inOrder = parallelMap(count: order.count, workers: workers) { number in
      let question = questions[order[number]]
      let sections = self.sections
      return self.read(
        Int(question.unit), of: self.headers, sections.spans, question.targets, isHint: question.isHint, preparation, budget)
    }
    var answers = [UnitAnswer](repeating: UnitAnswer(), count: questions.count)
    for (number, index) in order.enumerated() { answers[index] = inOrder[number] }
    return answers
  }

  /// - Parameters:
  ///   - index: of the unit in `headers`.
  ///   - spans: of this file.
  ///   - isHint: targets that are not in the code the unit states are left out.
  ///   - preparation: with it, what may be kept is prepared.
  func read(
    _ index: Int, of headers: [UnitHeader], _ spans: SectionSpans, _ targets: [UInt64], isHint: Bool,
    _ preparation: PreparationBudget?, _ budget: WorkBudget
  ) -> UnitAnswer {
    guard !budget.isSpent else { return UnitAnswer() }
    // Without an alternate file nothing is found in it: it has no units.
    let alternateSections = alternate?.sections ?? sections
    var spans = copy spans
    if alternate != nil { spans.alternateStrings = alternateSections.spans.strings }
    var reader = UnitReader(spans, headers, alternate: alternateSections.spans, alternate?.headers ?? [], budget)
    let unit = reader.load(.main, index).unit
    var answer = UnitAnswer()
    var targets = targets
    if isHint {
      answer.foreign = UnitRanges.stated(unit, spans, budget).leavingOut(targets, budget)
      if answer.foreign.count == targets.count { return answer }
      for place in answer.foreign.reversed() { targets.remove(at: place) }
    }
    if let frames = splitFrames(unit, spans, targets, budget) {
      answer.frames = frames
    } else if let preparation {
      (answer.frames, answer.prepared) = reader.preparedFrames(unit: index, targets: targets, preparation)
      // What other files say is not kept.
      if unit.splitName.isPresent { answer.prepared = nil }
    } else {
      answer.frames = reader.frames(unit: index, targets: targets)
    }
    answer.lacksUnits = reader.lacksUnits
    return answer
  }
}

extension DebugFrames {
  /// Takes in what a unit says.
  /// - Returns: which of all addresses the unit does not have.
  fileprivate mutating func add(_ answer: UnitAnswer, to question: UnitQuestion) -> [Int32] {
    var foreign: [Int32] = []
    for (target, number) in question.numbers.enumerated() {
      if foreign.count < answer.foreign.count, answer.foreign[foreign.count] == target {
        foreign.append(number)
      } else if target - foreign.count < answer.frames.ends.count {
        places[Int(number)] = Place(unit: Int32(units.count), target: Int32(target - foreign.count))
      }
    }
    units.append(answer.frames)
    return foreign
  }
}

extension [CodeRange] {
  /// The places of the ascending targets that no range has.
  fileprivate func leavingOut(_ targets: [UInt64], _ budget: WorkBudget) -> [Int] {
    var isMet = [Bool](repeating: false, count: targets.count)
    var left = targets.count
    var steps = 0
    for range in self where left > 0 && steps <= 64 * targets.count {
      var index = targets.firstIndex(from: range.start)
      while index < targets.count, targets[index] < range.end {
        if !isMet[index] { left -= 1 }
        isMet[index] = true
        index += 1
        steps += 1
      }
    }
    budget.spend(count + steps)
    return left == 0 ? [] : targets.indices.filter { !isMet[$0] }
  }
}

extension [UInt64] {
  /// The first place, in ascending order, with that number or a higher one.
  fileprivate func firstIndex(from number: UInt64) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if self[middle] < number { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
