// Collections with Jedis: java -cp 'lib/*' Collections.java HOST PORT. Prints "session done" if all was as it should be.

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.Pipeline;
import redis.clients.jedis.RedisProtocol;
import redis.clients.jedis.Response;
import redis.clients.jedis.Transaction;
import redis.clients.jedis.args.ListDirection;
import redis.clients.jedis.args.ListPosition;
import redis.clients.jedis.exceptions.JedisDataException;
import redis.clients.jedis.params.ScanParams;
import redis.clients.jedis.params.ZAddParams;
import redis.clients.jedis.params.ZParams;
import redis.clients.jedis.resps.ScanResult;
import redis.clients.jedis.resps.Tuple;

public class Collections {
  static void equal(String what, Object found, Object wanted) {
    if (!Objects.equals(found, wanted)) {
      throw new AssertionError(what + ": found " + found + ", wanted " + wanted);
    }
  }

  static String[] names(int count, String prefix) {
    String[] found = new String[count];
    for (int i = 0; i < count; i++) {
      found[i] = prefix + i;
    }
    return found;
  }

  /** Carries out a call of another connection, after the caller has begun to wait. */
  static void later(Runnable call) {
    new Thread(() -> {
      try {
        Thread.sleep(30);
      } catch (InterruptedException error) {
        return;
      }
      call.run();
    }).start();
  }

  public static void main(String[] arguments) throws Exception {
    HostAndPort server = new HostAndPort(arguments[0], Integer.parseInt(arguments[1]));
    for (RedisProtocol protocol : RedisProtocol.values()) {
      DefaultJedisClientConfig config = DefaultJedisClientConfig.builder().protocol(protocol).build();
      try (Jedis client = new Jedis(server, config); Jedis other = new Jedis(server)) {
        client.flushAll();
        hashes(client);
        lists(client, other);
        sets(client);
        sortedSets(client, other);
        groups(client, other);
      }
    }
    System.out.println("session done");
  }

  static void hashes(Jedis client) {
    equal("HSET", client.hset("h", Map.of("name", "Ada", "n", "5", "f", "1.5")), 3L);
    equal("HGETALL", client.hgetAll("h"), Map.of("name", "Ada", "n", "5", "f", "1.5"));
    equal("HMGET", client.hmget("h", "name").get(0), "Ada");
    equal("no field", client.hget("h", "none"), null);
    equal("HINCRBY", client.hincrBy("h", "n", 37), 42L);
    equal("HINCRBYFLOAT", client.hincrByFloat("h", "f", 0.25), 1.75);
    equal("HSETNX", client.hsetnx("h", "name", "x"), 0L);
    equal("HKEYS", client.hkeys("h"), Set.of("name", "n", "f"));
    equal("HDEL", client.hdel("h", "n", "none"), 1L);
    Map<String, String> many = new HashMap<>();
    for (String name : names(2000, "f")) {
      many.put(name, name);
    }
    client.hset("large", many);
    Set<String> seen = new HashSet<>();
    String cursor = ScanParams.SCAN_POINTER_START;
    do {
      ScanResult<Map.Entry<String, String>> page =
          client.hscan("large", cursor, new ScanParams().match("f1*").count(100));
      page.getResult().forEach(entry -> seen.add(entry.getKey()));
      cursor = page.getCursor();
    } while (!cursor.equals(ScanParams.SCAN_POINTER_START));
    equal("HSCAN", seen.size(), 1111);
    equal("HLEN", client.hlen("large"), 2000L);
  }

  static void lists(Jedis client, Jedis other) {
    equal("RPUSH", client.rpush("l", names(1000, "e")), 1000L);
    equal("LRANGE", client.lrange("l", 998, -1), List.of("e998", "e999"));
    equal("LINSERT", client.linsert("l", ListPosition.AFTER, "e0", "new"), 1001L);
    equal("LPOP", client.lpop("l", 2), List.of("e0", "new"));
    equal("LMOVE", client.lmove("l", "done", ListDirection.RIGHT, ListDirection.LEFT), "e999");
    equal("LPOS", client.lpos("l", "e10"), 9L);
    equal("LREM", client.lrem("l", 0, "e5"), 1L);
    equal("LSET", client.lset("l", -1, "last"), "OK");
    equal("LINDEX", client.lindex("l", -1), "last");
    equal("LTRIM", client.ltrim("l", 0, 9), "OK");
    equal("LLEN", client.llen("l"), 10L);
    later(() -> other.rpush("more", "work"));
    equal("BLPOP", client.blpop(5, "jobs", "more"), List.of("more", "work"));
    equal("nothing came", client.blpop(0.05, "jobs"), null);
    later(() -> other.rpush("jobs", "a", "b"));
    equal("BLMOVE", client.blmove("jobs", "taken", ListDirection.LEFT, ListDirection.RIGHT, 5), "a");
    equal("LMPOP", client.lmpop(ListDirection.LEFT, 5, "none", "jobs").getValue(), List.of("b"));
  }

  static void sets(Jedis client) {
    equal("SADD", client.sadd("s", "a", "b", "c", "d", "e"), 5L);
    equal("SADD", client.sadd("t", "d", "e", "f"), 3L);
    equal("SINTER", client.sinter("s", "t"), Set.of("d", "e"));
    equal("SDIFF", client.sdiff("s", "t"), Set.of("a", "b", "c"));
    equal("SUNIONSTORE", client.sunionstore("u", "s", "t"), 6L);
    equal("SINTERCARD", client.sintercard(1, "s", "t"), 1L);
    equal("SMISMEMBER", client.smismember("s", "a", "z"), List.of(true, false));
    equal("SMOVE", client.smove("s", "t", "a"), 1L);
    equal("SPOP", client.spop("u", 4).size(), 4);
    equal("SRANDMEMBER", client.srandmember("u", -20).size(), 20);
    client.sadd("many", names(3000, "m"));
    Set<String> seen = new HashSet<>();
    String cursor = ScanParams.SCAN_POINTER_START;
    do {
      ScanResult<String> page = client.sscan("many", cursor, new ScanParams().count(100));
      seen.addAll(page.getResult());
      cursor = page.getCursor();
    } while (!cursor.equals(ScanParams.SCAN_POINTER_START));
    equal("SSCAN", seen.size(), 3000);
  }

  static void sortedSets(Jedis client, Jedis other) {
    Map<String, Double> scores = new HashMap<>();
    for (int i = 0; i < 500; i++) {
      scores.put("p" + i, (double) i);
    }
    equal("ZADD", client.zadd("z", scores), 500L);
    Map<String, Double> higher = Map.of("p0", 1000.0, "p400", 1.0);
    equal("ZADD GT CH", client.zadd("z", higher, ZAddParams.zAddParams().gt().ch()), 1L);
    equal("ZRANGE", client.zrangeWithScores("z", 0, 0), List.of(new Tuple("p1", 1.0)));
    equal("ZRANGEBYSCORE", client.zrangeByScore("z", "(497", "+inf", 1, 5), List.of("p499", "p0"));
    equal("ZINCRBY", client.zincrby("z", 0.5, "p7"), 7.5);
    equal("ZRANK", client.zrank("z", "p7"), 6L);
    equal("ZREVRANK", client.zrevrank("z", "p0"), 0L);
    equal("ZSCORE", client.zscore("z", "none"), null);
    equal("ZCOUNT", client.zcount("z", "10", "(20"), 10L);
    equal("ZREMRANGEBYRANK", client.zremrangeByRank("z", 0, 9), 10L);
    equal("ZPOPMAX", client.zpopmax("z"), new Tuple("p0", 1000.0));
    later(() -> other.zadd("line", Map.of("late", 2.0, "soon", 1.0)));
    equal("BZPOPMIN", client.bzpopmin(5, "line").getValue(), new Tuple("soon", 1.0));
    ZParams weights = new ZParams().weights(1, 100).aggregate(ZParams.Aggregate.MAX);
    equal("ZUNIONSTORE", client.zunionstore("zu", weights, "z", "line"), 490L);
    equal("ZSCORE", client.zscore("zu", "late"), 200.0);
    List<Tuple> seen = new ArrayList<>();
    String cursor = ScanParams.SCAN_POINTER_START;
    do {
      ScanResult<Tuple> page = client.zscan("zu", cursor, new ScanParams().count(100));
      seen.addAll(page.getResult());
      cursor = page.getCursor();
    } while (!cursor.equals(ScanParams.SCAN_POINTER_START));
    equal("ZSCAN", new HashSet<>(seen).size(), 490);
  }

  static void groups(Jedis client, Jedis other) {
    Pipeline pipeline = client.pipelined();
    Response<Long> counted = null;
    Response<Double> scored = null;
    for (int i = 0; i < 500; i++) {
      counted = pipeline.hincrBy("counts", "n", 1);
      pipeline.rpush("log", "" + i);
      scored = pipeline.zincrby("board", i, "x");
    }
    pipeline.sync();
    equal("counted", counted.get(), 500L);
    equal("scored", scored.get(), 124750.0);
    Transaction group = client.multi();
    group.hset("h", "a", "1");
    group.lpush("h", "x");
    Response<Set<String>> members = group.smembers("none");
    group.zadd("z", 1, "a");
    List<Object> replies = group.exec();
    equal("EXEC", List.of(replies.get(0), members.get(), replies.get(3)), List.of(1L, Set.of(), 1L));
    equal("in it", ((JedisDataException) replies.get(1)).getMessage().startsWith("WRONGTYPE"), true);
    client.watch("l");
    other.rpush("l", "changed");
    Transaction watched = client.multi();
    watched.lpop("l");
    equal("watched", watched.exec(), null);
  }
}
