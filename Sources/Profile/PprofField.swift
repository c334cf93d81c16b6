/// Field numbers of profile.proto (github.com/google/pprof, `proto/profile.proto`).
enum PprofField {
  enum Profile {
    static let sampleType: UInt32 = 1
    static let sample: UInt32 = 2
    static let mapping: UInt32 = 3
    static let location: UInt32 = 4
    static let function: UInt32 = 5
    static let string: UInt32 = 6
    static let timeNanos: UInt32 = 9
    static let durationNanos: UInt32 = 10
    static let periodType: UInt32 = 11
    static let period: UInt32 = 12
    static let comment: UInt32 = 13
    static let defaultSampleType: UInt32 = 14
  }
  enum ValueType {
    static let type: UInt32 = 1
    static let unit: UInt32 = 2
  }
  enum Sample {
    static let locationID: UInt32 = 1
    static let value: UInt32 = 2
    static let label: UInt32 = 3
  }
  enum Label {
    static let key: UInt32 = 1
    static let text: UInt32 = 2
    static let number: UInt32 = 3
    static let unit: UInt32 = 4
  }
  enum Mapping {
    static let id: UInt32 = 1
    static let start: UInt32 = 2
    static let limit: UInt32 = 3
    static let offset: UInt32 = 4
    static let file: UInt32 = 5
    static let buildID: UInt32 = 6
    static let hasFunctions: UInt32 = 7
    static let hasFilenames: UInt32 = 8
    static let hasLineNumbers: UInt32 = 9
    static let hasInlineFrames: UInt32 = 10
  }
  enum Location {
    static let id: UInt32 = 1
    static let mapping: UInt32 = 2
    static let address: UInt32 = 3
    static let line: UInt32 = 4
  }
  enum Line {
    static let function: UInt32 = 1
    static let line: UInt32 = 2
  }
  enum Function {
    static let id: UInt32 = 1
    static let name: UInt32 = 2
    static let systemName: UInt32 = 3
    static let file: UInt32 = 4
    static let startLine: UInt32 = 5
  }
}
