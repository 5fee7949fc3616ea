import LinuxIO
import Testing

@Suite struct UserDatabaseTests {
  @Test func numbersAreTakenAsTheyAre() throws {
    let user = try #require(UserDatabase.user("4242424"))
    #expect(user.id == 4_242_424 && user.group == 4_242_424 && user.groups == [4_242_424])
    #expect(UserDatabase.group("0") == 0 && UserDatabase.group("4294967294") == 4_294_967_294)
    #expect(UserDatabase.name(ofUser: 4_242_424) == "4242424")
  }

  @Test func names() throws {
    let root = try #require(UserDatabase.user("root"))
    #expect(root.id == 0 && root.group == 0 && root.groups.contains(0))
    #expect(UserDatabase.group("root") == 0)
    #expect(UserDatabase.name(ofUser: 0) == "root")
    let nobody = try #require(UserDatabase.user("nobody"))
    #expect(nobody.id != 0 && nobody.groups.contains(nobody.group))
  }

  // 4294967295 is (uid_t)-1, which means "leave as it is".
  @Test(arguments: ["", "no such user", "-1", "+1", "4294967295", "4294967296", "0x0", "٣"]) func strangers(
    _ word: String
  ) {
    #expect(UserDatabase.user(word) == nil)
    #expect(UserDatabase.group(word) == nil)
  }
}
