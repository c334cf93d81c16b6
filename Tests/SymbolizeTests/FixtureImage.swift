import Symbolize
import TestSupport

extension FixtureBinary {
  static func image(_ name: String) throws -> ImageBytes { try ImageBytes(bytes(name)) }
}
