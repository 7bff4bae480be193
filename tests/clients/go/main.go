// One session of go-redis: session HOST PORT. Prints "session done" if all was as it should be.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

var ctx = context.Background()

func equal(what string, found, wanted any) {
	if !reflect.DeepEqual(found, wanted) {
		fail(fmt.Sprintf("%s: found %v, wanted %v", what, found, wanted))
	}
}

func fail(what string) {
	fmt.Fprintln(os.Stderr, what)
	os.Exit(1)
}

func must[T any](value T, err error) T {
	if err != nil {
		fail(fmt.Sprintf("refused: %v", err))
	}
	return value
}

func refused(err error, text string) {
	if err == nil || !strings.Contains(err.Error(), text) {
		fail(fmt.Sprintf("not refused with %q: %v", text, err))
	}
}

func main() {
	address := os.Args[1] + ":" + os.Args[2]
	for _, protocol := range []int{2, 3} {
		client := redis.NewClient(&redis.Options{Addr: address, Protocol: protocol, ClientName: "go"})
		equal("FLUSHALL", must(client.FlushAll(ctx).Result()), "OK")
		values(client)
		groups(client)
		errorsOf(client)
		collections(client)
		client.Close()
	}
	fmt.Println("session done")
}

func values(client *redis.Client) {
	equal("PING", must(client.Ping(ctx).Result()), "PONG")
	equal("name", must(client.ClientGetName(ctx).Result()), "go")
	equal("SET", must(client.Set(ctx, "text", "grüße", 0).Result()), "OK")
	equal("GET", must(client.Get(ctx, "text").Result()), "grüße")
	_, err := client.Get(ctx, "none").Result()
	equal("no value", err, redis.Nil)
	equal("SET NX", must(client.SetNX(ctx, "text", "x", 0).Result()), false)
	old := client.SetArgs(ctx, "text", "neu", redis.SetArgs{Mode: "XX", Get: true, TTL: 100 * time.Second})
	equal("SET XX GET", must(old.Result()), "grüße")
	binary := make([]byte, 70000)
	for i := range binary {
		binary[i] = byte(i)
	}
	must(client.Set(ctx, "binary", binary, 0).Result())
	equal("binary", bytes.Equal(must(client.Get(ctx, "binary").Bytes()), binary), true)

	ttl := must(client.TTL(ctx, "text").Result())
	equal("TTL", ttl > 90*time.Second && ttl <= 100*time.Second, true)
	equal("PERSIST", must(client.Persist(ctx, "text").Result()), true)
	equal("PEXPIRE", must(client.PExpire(ctx, "text", 30*time.Millisecond).Result()), true)
	time.Sleep(60 * time.Millisecond)
	equal("expired", must(client.Exists(ctx, "text").Result()), int64(0))

	equal("INCR", must(client.Incr(ctx, "n").Result()), int64(1))
	equal("INCRBY", must(client.IncrBy(ctx, "n", 41).Result()), int64(42))
	equal("INCRBYFLOAT", must(client.IncrByFloat(ctx, "f", 1.5).Result()), 1.5)
	must(client.MSet(ctx, "a", "1", "b", "2").Result())
	equal("MGET", must(client.MGet(ctx, "a", "none", "b").Result()), []any{"1", nil, "2"})
	equal("COPY", must(client.Copy(ctx, "a", "c", 0, true).Result()), int64(1))
	equal("LCS", must(client.LCS(ctx, &redis.LCSQuery{Key1: "a", Key2: "c"}).Result()).MatchString, "1")

	for i := 0; i < 300; i++ {
		must(client.Set(ctx, "scan:"+strconv.Itoa(i), i, 0).Result())
	}
	seen := map[string]bool{}
	walk := client.ScanType(ctx, 0, "scan:*", 50, "string").Iterator()
	for walk.Next(ctx) {
		seen[walk.Val()] = true
	}
	equal("walk", walk.Err(), nil)
	equal("SCAN", len(seen), 300)
}

func groups(client *redis.Client) {
	replies := must(client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i := 0; i < 1000; i++ {
			pipe.Incr(ctx, "p")
		}
		return nil
	}))
	equal("pipeline", replies[999].(*redis.IntCmd).Val(), int64(1000))
	must(client.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.Set(ctx, "m", "1", 0)
		pipe.Incr(ctx, "m")
		return nil
	}))
	equal("transaction", must(client.Get(ctx, "m").Int()), 2)
	_, err := client.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.LPush(ctx, "m", "x")
		pipe.Incr(ctx, "m")
		return nil
	})
	refused(err, "WRONGTYPE")
	equal("the other one ran", must(client.Get(ctx, "m").Int()), 3)
	err = client.Watch(ctx, func(tx *redis.Tx) error {
		must(client.Set(ctx, "m", "7", 0).Result())
		_, err := tx.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
			pipe.Incr(ctx, "m")
			return nil
		})
		return err
	}, "m")
	equal("watched", errors.Is(err, redis.TxFailedErr), true)
}

func errorsOf(client *redis.Client) {
	refused(client.Do(ctx, "NONESUCH", "a").Err(), "unknown command 'NONESUCH', with args beginning with: 'a'")
	refused(client.Incr(ctx, "binary").Err(), "not an integer or out of range")
	refused(client.Do(ctx, "SET", "k").Err(), "wrong number of arguments for 'set' command")
}
