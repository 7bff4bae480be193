// One session of Jedis: java -cp 'lib/*' Session.java HOST PORT. Prints "session done" if all was as it should be.

import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.Pipeline;
import redis.clients.jedis.Protocol;
import redis.clients.jedis.RedisProtocol;
import redis.clients.jedis.Response;
import redis.clients.jedis.Transaction;
import redis.clients.jedis.exceptions.JedisDataException;
import redis.clients.jedis.params.ScanParams;
import redis.clients.jedis.params.SetParams;
import redis.clients.jedis.resps.ScanResult;

public class Session {
  static void equal(String what, Object found, Object wanted) {
    if (!Objects.equals(found, wanted)) {
      throw new AssertionError(what + ": found " + found + ", wanted " + wanted);
    }
  }

  static void refused(Runnable call, String text) {
    try {
      call.run();
    } catch (JedisDataException error) {
      equal(error.getMessage(), error.getMessage().contains(text), true);
      return;
    }
    throw new AssertionError("not refused with " + text);
  }

  public static void main(String[] arguments) throws Exception {
    HostAndPort server = new HostAndPort(arguments[0], Integer.parseInt(arguments[1]));
    for (RedisProtocol protocol : RedisProtocol.values()) {
      DefaultJedisClientConfig config =
          DefaultJedisClientConfig.builder().protocol(protocol).clientName("java").build();
      try (Jedis client = new Jedis(server, config); Jedis other = new Jedis(server)) {
        equal("FLUSHALL", client.flushAll(), "OK");
        values(client);
        groups(client, other);
        refused(() -> client.incr("binary"), "not an integer or out of range");
        refused(() -> client.sendCommand(Protocol.Command.SET, "k"), "wrong number of arguments for 'set' command");
        refused(() -> client.sendCommand(() -> "NONESUCH".getBytes(), "a"), "unknown command 'NONESUCH'");
      }
    }
    System.out.println("session done");
  }

  static void values(Jedis client) throws Exception {
    equal("PING", client.ping(), "PONG");
    equal("name", client.clientGetname(), "java");
    equal("SET", client.set("text", "grüße"), "OK");
    equal("GET", client.get("text"), "grüße");
    equal("no value", client.get("none"), null);
    equal("SET NX", client.set("text", "x", SetParams.setParams().nx()), null);
    equal("SET XX GET", client.setGet("text", "neu", SetParams.setParams().xx().ex(100)), "grüße");
    byte[] binary = new byte[70000];
    for (int i = 0; i < binary.length; i++) {
      binary[i] = (byte) i;
    }
    client.set("binary".getBytes(), binary);
    equal("binary", Arrays.equals(client.get("binary".getBytes()), binary), true);

    long ttl = client.ttl("text");
    equal("TTL", ttl > 90 && ttl <= 100, true);
    equal("PERSIST", client.persist("text"), 1L);
    equal("PEXPIRE", client.pexpire("text", 30), 1L);
    Thread.sleep(60);
    equal("expired", client.exists("text"), false);

    equal("INCR", client.incr("n"), 1L);
    equal("INCRBY", client.incrBy("n", 41), 42L);
    equal("INCRBYFLOAT", client.incrByFloat("f", 1.5), 1.5);
    equal("MSET", client.mset("a", "1", "b", "2"), "OK");
    equal("MGET", client.mget("a", "none", "b"), Arrays.asList("1", null, "2"));
    equal("COPY", client.copy("a", "c", true), true);
    equal("CONFIG GET", client.configGet("databases").get("databases"), "16");

    for (int i = 0; i < 300; i++) {
      client.set("scan:" + i, "" + i);
    }
    Set<String> seen = new HashSet<>();
    String cursor = ScanParams.SCAN_POINTER_START;
    do {
      ScanResult<String> page = client.scan(cursor, new ScanParams().match("scan:*").count(50), "string");
      seen.addAll(page.getResult());
      cursor = page.getCursor();
    } while (!cursor.equals(ScanParams.SCAN_POINTER_START));
    equal("SCAN", seen.size(), 300);
  }

  static void groups(Jedis client, Jedis other) {
    Pipeline pipeline = client.pipelined();
    Response<Long> last = null;
    for (int i = 0; i < 1000; i++) {
      last = pipeline.incr("p");
    }
    pipeline.sync();
    equal("pipeline", last.get(), 1000L);
    Transaction group = client.multi();
    group.set("m", "1");
    group.incr("m");
    group.lpush("m", "x");
    group.get("m");
    List<Object> replies = group.exec();
    equal("EXEC", List.of(replies.get(0), replies.get(1), replies.get(3)), List.of("OK", 2L, "2"));
    equal("in it", ((JedisDataException) replies.get(2)).getMessage().startsWith("WRONGTYPE"), true);
    client.watch("m");
    other.set("m", "5");
    Transaction watched = client.multi();
    watched.incr("m");
    equal("watched", watched.exec(), null);
  }
}
