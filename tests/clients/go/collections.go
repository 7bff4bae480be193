package main

import (
	"sort"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

func names(count int, prefix string) []any {
	found := make([]any, count)
	for i := range found {
		found[i] = prefix + strconv.Itoa(i)
	}
	return found
}

func sorted(words []string) []string {
	sort.Strings(words)
	return words
}

// later carries out a call of another connection, after the caller has begun to wait.
func later(call func()) {
	go func() {
		time.Sleep(30 * time.Millisecond)
		call()
	}()
}

func collections(client *redis.Client) {
	hashes(client)
	lists(client)
	sets(client)
	sortedSets(client)
	groupsOfCollections(client)
}

func hashes(client *redis.Client) {
	equal("HSET", must(client.HSet(ctx, "h", "name", "Ada", "n", 5, "f", 1.5).Result()), int64(3))
	equal("HGETALL", must(client.HGetAll(ctx, "h").Result()), map[string]string{"name": "Ada", "n": "5", "f": "1.5"})
	equal("HMGET", must(client.HMGet(ctx, "h", "name", "none").Result()), []any{"Ada", nil})
	equal("HINCRBY", must(client.HIncrBy(ctx, "h", "n", 37).Result()), int64(42))
	equal("HINCRBYFLOAT", must(client.HIncrByFloat(ctx, "h", "f", 0.25).Result()), 1.75)
	equal("HSETNX", must(client.HSetNX(ctx, "h", "name", "x").Result()), false)
	equal("HKEYS", sorted(must(client.HKeys(ctx, "h").Result())), []string{"f", "n", "name"})
	equal("HDEL", must(client.HDel(ctx, "h", "n", "none").Result()), int64(1))
	equal("HRANDFIELD", len(must(client.HRandFieldWithValues(ctx, "h", 2).Result())), 2)
	for _, field := range names(2000, "f") {
		must(client.HSet(ctx, "large", field, field).Result())
	}
	seen := map[string]bool{}
	walk := client.HScan(ctx, "large", 0, "f1*", 100).Iterator()
	for walk.Next(ctx) {
		seen[walk.Val()] = true
	}
	equal("HSCAN", []any{walk.Err(), len(seen)}, []any{nil, 1111})
	equal("HPEXPIRE", must(client.HPExpire(ctx, "h", 30*time.Millisecond, "f").Result()), []int64{1})
	time.Sleep(60 * time.Millisecond)
	equal("expired", must(client.HExists(ctx, "h", "f").Result()), false)
}

func lists(client *redis.Client) {
	equal("RPUSH", must(client.RPush(ctx, "l", names(1000, "e")...).Result()), int64(1000))
	equal("LRANGE", must(client.LRange(ctx, "l", 998, -1).Result()), []string{"e998", "e999"})
	equal("LINSERT", must(client.LInsertAfter(ctx, "l", "e0", "new").Result()), int64(1001))
	equal("LPOP", must(client.LPopCount(ctx, "l", 2).Result()), []string{"e0", "new"})
	equal("LMOVE", must(client.LMove(ctx, "l", "done", "RIGHT", "LEFT").Result()), "e999")
	equal("LPOS", must(client.LPos(ctx, "l", "e10", redis.LPosArgs{}).Result()), int64(9))
	equal("LREM", must(client.LRem(ctx, "l", 0, "e5").Result()), int64(1))
	equal("LSET", must(client.LSet(ctx, "l", -1, "last").Result()), "OK")
	equal("LINDEX", must(client.LIndex(ctx, "l", -1).Result()), "last")
	equal("LTRIM", must(client.LTrim(ctx, "l", 0, 9).Result()), "OK")
	equal("LLEN", must(client.LLen(ctx, "l").Result()), int64(10))
	later(func() { client.RPush(ctx, "more", "work") })
	equal("BLPOP", must(client.BLPop(ctx, 5*time.Second, "jobs", "more").Result()), []string{"more", "work"})
	later(func() { client.RPush(ctx, "jobs", "a", "b") })
	equal("BLMOVE", must(client.BLMove(ctx, "jobs", "taken", "LEFT", "RIGHT", 5*time.Second).Result()), "a")
	key, popped, err := client.LMPop(ctx, "right", 5, "none", "jobs").Result()
	equal("LMPOP", []any{key, popped, err}, []any{"jobs", []string{"b"}, nil})
	_, err = client.BRPop(ctx, time.Second, "jobs").Result()
	equal("nothing came", err, redis.Nil)
}

func sets(client *redis.Client) {
	equal("SADD", must(client.SAdd(ctx, "s", "a", "b", "c", "d", "e").Result()), int64(5))
	equal("SADD", must(client.SAdd(ctx, "t", "d", "e", "f").Result()), int64(3))
	equal("SINTER", sorted(must(client.SInter(ctx, "s", "t").Result())), []string{"d", "e"})
	equal("SDIFF", sorted(must(client.SDiff(ctx, "s", "t").Result())), []string{"a", "b", "c"})
	equal("SUNIONSTORE", must(client.SUnionStore(ctx, "u", "s", "t").Result()), int64(6))
	equal("SINTERCARD", must(client.SInterCard(ctx, 1, "s", "t").Result()), int64(1))
	equal("SMISMEMBER", must(client.SMIsMember(ctx, "s", "a", "z").Result()), []bool{true, false})
	equal("SMOVE", must(client.SMove(ctx, "s", "t", "a").Result()), true)
	equal("SPOP", len(must(client.SPopN(ctx, "u", 4).Result())), 4)
	equal("SRANDMEMBER", len(must(client.SRandMemberN(ctx, "u", -20).Result())), 20)
	must(client.SAdd(ctx, "many", names(3000, "m")...).Result())
	seen := map[string]bool{}
	walk := client.SScan(ctx, "many", 0, "", 100).Iterator()
	for walk.Next(ctx) {
		seen[walk.Val()] = true
	}
	equal("SSCAN", []any{walk.Err(), len(seen)}, []any{nil, 3000})
}

func sortedSets(client *redis.Client) {
	for i, name := range names(500, "p") {
		must(client.ZAdd(ctx, "z", redis.Z{Score: float64(i), Member: name}).Result())
	}
	args := redis.ZAddArgs{GT: true, Ch: true, Members: []redis.Z{{Score: 1000, Member: "p0"}, {Score: 1, Member: "p400"}}}
	equal("ZADD GT CH", must(client.ZAddArgs(ctx, "z", args).Result()), int64(1))
	equal("ZRANGE", must(client.ZRangeWithScores(ctx, "z", 0, 0).Result()), []redis.Z{{Score: 1, Member: "p1"}})
	by := redis.ZRangeArgs{Key: "z", Start: "(497", Stop: "+inf", ByScore: true, Offset: 1, Count: 5}
	equal("ZRANGE BYSCORE", must(client.ZRangeArgs(ctx, by).Result()), []string{"p499", "p0"})
	equal("ZINCRBY", must(client.ZIncrBy(ctx, "z", 0.5, "p7").Result()), 7.5)
	equal("ZRANK", must(client.ZRank(ctx, "z", "p7").Result()), int64(6))
	equal("ZREVRANK", must(client.ZRevRank(ctx, "z", "p0").Result()), int64(0))
	equal("ZMSCORE", must(client.ZMScore(ctx, "z", "p1", "none").Result()), []float64{1, 0})
	equal("ZCOUNT", must(client.ZCount(ctx, "z", "10", "(20").Result()), int64(10))
	equal("ZREMRANGEBYRANK", must(client.ZRemRangeByRank(ctx, "z", 0, 9).Result()), int64(10))
	equal("ZPOPMAX", must(client.ZPopMax(ctx, "z").Result()), []redis.Z{{Score: 1000, Member: "p0"}})
	later(func() { client.ZAdd(ctx, "line", redis.Z{Score: 2, Member: "late"}, redis.Z{Score: 1, Member: "soon"}) })
	popped := must(client.BZPopMin(ctx, 5*time.Second, "line").Result())
	equal("BZPOPMIN", *popped, redis.ZWithKey{Key: "line", Z: redis.Z{Score: 1, Member: "soon"}})
	store := &redis.ZStore{Keys: []string{"z", "line"}, Weights: []float64{1, 100}, Aggregate: "MAX"}
	equal("ZUNIONSTORE", must(client.ZUnionStore(ctx, "zu", store).Result()), int64(490))
	equal("ZSCORE", must(client.ZScore(ctx, "zu", "late").Result()), 200.0)
	count := 0
	walk := client.ZScan(ctx, "zu", 0, "", 100).Iterator()
	for walk.Next(ctx) {
		count++
	}
	equal("ZSCAN", []any{walk.Err(), count}, []any{nil, 2 * 490})
}

func groupsOfCollections(client *redis.Client) {
	replies := must(client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i := 0; i < 500; i++ {
			pipe.HIncrBy(ctx, "counts", "n", 1)
			pipe.RPush(ctx, "log", i)
			pipe.ZIncrBy(ctx, "board", float64(i), "x")
		}
		return nil
	}))
	equal("counted", replies[1497].(*redis.IntCmd).Val(), int64(500))
	equal("scored", replies[1499].(*redis.FloatCmd).Val(), 124750.0)
	replies, err := client.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.HSet(ctx, "h", "a", 1)
		pipe.LPush(ctx, "h", "x")
		pipe.SMembers(ctx, "none")
		pipe.ZAdd(ctx, "z", redis.Z{Score: 1, Member: "a"})
		return nil
	})
	refused(err, "WRONGTYPE")
	equal("the others ran", replies[3].(*redis.IntCmd).Val(), int64(1))
}
