-- The world of a script: what it may reach, the library `redis`, and `run`, which runs one script.
--
-- This chunk is loaded before the global table is replaced. It gets what only it may use, and returns `world`,
-- which becomes the global table of all later chunks, and the functions and tables that the engine keeps.
--
-- Libraries of functions are loaded with a global table of their own, which has `redis.register_function` and little
-- else, as in Redis; once loaded, their functions have `world`.
--
-- No table that outlives a script can be changed by one: the global table and the libraries are empty tables in front
-- of the real ones, without a way to store into them, and each function that stores into a table it is given refuses
-- those, if it has anything to store. What stock Lua has beyond this list is not reachable.

local call, protected_call, bridge, library_function, ended, bits, octets, search, guard, charge, null, libraries, version = ...

local error, type, tostring, tonumber, select, raw_unpack = error, type, tostring, tonumber, select, unpack
local raw_next, raw_pcall, raw_xpcall, raw_get, raw_set = next, pcall, xpcall, rawget, rawset
local raw_getmetatable, raw_setmetatable, raw_loadstring = getmetatable, setmetatable, loadstring
local raw_create, set_environment = coroutine.create, setfenv
local raw_insert, raw_remove, raw_sort, raw_maxn, concat = table.insert, table.remove, table.sort, table.maxn, table.concat
local floor, byte, char = math.floor, string.byte, string.char
local getinfo, count_garbage = debug.getinfo, collectgarbage

local RESULTS_MAX, INT_MAX, LONG_END = 7900, 2147483647, 2 ^ 63
local READ_ONLY = "Attempt to modify a readonly table"
local BARE, WRONG_ARGUMENT = "\0", "\1"  -- before the text of an error, for `library_call`: see library_calls.py
local real = raw_setmetatable({}, { __mode = "k" })  -- the table behind each read-only table

local function refuse_to_store() error(READ_ONLY, 2) end

local function read_only(behind)
  local front = {}
  real[front] = behind
  return raw_setmetatable(front, {
    __index = behind,
    __newindex = refuse_to_store,
    __metatable = false,
  })
end

-- All functions below are called as C functions: `library_call` puts the place of the call before the text of an error.
-- So they raise texts without a place, at level 0; and of a wrong argument only its number and what is wrong with it,
-- since the name of the function is the one that the script calls it by.

local function wrong_argument(number, what)
  error(WRONG_ARGUMENT .. char(floor(number / 256), number % 256) .. what, 0)
end

-- Refuses the argument with this number of those that follow, since it has another type.
local function wrong_type(number, wanted, ...)
  local got = select("#", ...) < number and "no value" or type((select(number, ...)))
  wrong_argument(number, wanted .. " expected, got " .. got)
end

-- The argument with this number, which must be there.
local function any(number, ...)
  if select("#", ...) < number then wrong_argument(number, "value expected") end
  return (select(number, ...))
end

local function table_of(...)
  local t = ...
  if type(t) ~= "table" then wrong_type(1, "table", ...) end
  return t
end

local function text_at(number, ...)
  local value = select(number, ...)
  if type(value) == "number" then return tostring(value) end
  if type(value) ~= "string" then wrong_type(number, "string", ...) end
  return value
end

local function number_at(number, ...)
  return tonumber((select(number, ...))) or wrong_type(number, "number", ...)
end

-- As C makes an integer of 64 bits, or of 32 bits, of a number.
local function whole_at(number, ...)
  local found = number_at(number, ...)
  if not (found >= -LONG_END and found < LONG_END) then return -LONG_END end
  return found >= 0 and floor(found) or -floor(-found)
end

local function low_32(value)
  value = value % 4294967296
  return value > INT_MAX and value - 4294967296 or value
end

local function int_at(...) return low_32(whole_at(...)) end

-- Errors. A script that has been ended must not go on, whatever it catches: the error of the hook is nil.

local function caught(ok, ...)
  if ok then return true, ... end
  local problem = ...
  if ended() then error(nil) end
  if type(problem) == "table" then
    local text = raw_get(problem, "err")
    if type(text) == "string" then problem = text end
  end
  return false, problem
end

local function caught_raw(ok, ...)
  if not ok and ended() then error(nil) end
  return ok, ...
end

local function pcall(...)
  if select("#", ...) == 0 then return false end
  return caught(raw_pcall(...))
end

local function xpcall(...)
  local body, handler = ..., any(2, ...)
  return caught_raw(raw_xpcall(body, function(problem)
    if ended() then return nil end  -- no hook would end the handler within an error of the hook
    return handler(problem)
  end))
end

-- The library `redis`.

local redis = { call = call, pcall = protected_call }

local function plain_error(text) error({ err = text }) end

local function serve(...)
  local value = bridge(...)
  if value == nil and ended() then error(nil) end
  return value
end

local function single(field, ...)
  local text = ...
  if select("#", ...) ~= 1 or type(text) ~= "string" then return { err = "ERR wrong number or type of arguments" } end
  return { [field] = text }
end

function redis.status_reply(...) return single("ok", ...) end

function redis.error_reply(...)
  local made = single("err", ...)
  local text = made.err:match("^%-?(%Z*)")  -- Redis has C strings here
  made.err = text:find(" ", 1, true) and text or "ERR " .. text
  return made
end

function redis.sha1hex(...)
  if select("#", ...) ~= 1 then plain_error("ERR wrong number of arguments") end
  local text = ...
  if type(text) == "number" then text = tostring(text) end
  return serve("sha1hex", type(text) == "string" and text or "")
end

redis.LOG_DEBUG, redis.LOG_VERBOSE, redis.LOG_NOTICE, redis.LOG_WARNING = 0, 1, 2, 3

function redis.log(...)
  if select("#", ...) < 2 then plain_error("ERR redis.log() requires two arguments or more.") end
  local level = ...
  if type(level) ~= "number" and type(level) ~= "string" then
    plain_error("ERR First argument must be a number (log level).")
  end
  level = tonumber(level)
  if not level then plain_error("ERR First argument must be a number (log level).") end
  if not (level >= 0 and level <= 3) then plain_error("ERR Invalid debug level.") end
  local words = {}
  for i = 2, select("#", ...) do
    local word = select(i, ...)
    if type(word) == "string" or type(word) == "number" then words[#words + 1] = word end
  end
  serve("log", floor(level), concat(words, " "))
end

function redis.setresp(...)
  if select("#", ...) ~= 1 then plain_error("ERR redis.setresp() requires one argument.") end
  local wanted = floor(tonumber((...)) or 0)
  if wanted ~= 2 and wanted ~= 3 then plain_error("ERR RESP version must be 2 or 3.") end
  serve("setresp", wanted)
end

redis.REPL_NONE, redis.REPL_AOF, redis.REPL_SLAVE, redis.REPL_REPLICA, redis.REPL_ALL = 0, 1, 2, 2, 3

function redis.set_repl(...)
  if select("#", ...) ~= 1 then plain_error("ERR redis.set_repl() requires two arguments.") end
  local flags = tonumber((...)) or 0
  if flags < 0 or flags > 3 or flags ~= floor(flags) then
    plain_error("ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.")
  end
end

function redis.replicate_commands() return true end
function redis.breakpoint() return false end
function redis.debug() end

function redis.acl_check_cmd(...)
  if select("#", ...) == 0 then
    plain_error("ERR Please specify at least one argument for this redis lib call")
  end
  for i = 1, select("#", ...) do
    local kind = type((select(i, ...)))
    if kind ~= "string" and kind ~= "number" then
      plain_error("ERR Lua redis lib command arguments must be strings or integers")
    end
  end
  local allowed = serve("acl_check_cmd", ...)
  if allowed == nil then plain_error("ERR Invalid command passed to redis.acl_check_cmd()") end
  return allowed
end

redis.REDIS_VERSION, redis.REDIS_VERSION_NUM = version[1], version[2]

-- The results of a call that may run functions of the script: an error of these keeps the place that it has.
local function passed(ok, ...)
  if ok then return ... end
  local problem = ...
  if type(problem) == "string" then problem = BARE .. problem end
  error(problem, 0)
end

local function bare_error(text) error(BARE .. text, 0) end

-- Functions of Lua that must not reach behind a read-only table.

local function next(...)
  local t = table_of(...)
  local _, key = ...
  if key == nil then return raw_next(real[t] or t) end
  return passed(raw_pcall(raw_next, real[t] or t, key))  -- the error of a wrong key has no place
end

local function pairs(...)
  local t = table_of(...)
  return real[t] and next or raw_next, t, nil
end

-- Stock Lua computes the number of results as a C int, which may overflow.
local function unpack(...)
  local t = table_of(...)
  local _, first, last = ...
  first = first == nil and 1 or int_at(2, ...)
  last = last == nil and #t or int_at(3, ...)
  if not (first <= last) then return end
  if not (last - first < RESULTS_MAX and first > -INT_MAX and last < INT_MAX) then
    error("too many results to unpack", 0)
  end
  return raw_unpack(t, first, last)
end

local function rawget(...)
  local t = table_of(...)
  return raw_get(real[t] or t, any(2, ...))
end

local function rawset(...)
  local t, key, value = table_of(...), any(2, ...), any(3, ...)
  if real[t] then bare_error(READ_ONLY) end
  if key == nil then bare_error("table index is nil") end
  if key ~= key then bare_error("table index is NaN") end
  return raw_set(t, key, value)
end

local string_front

local function getmetatable(...)
  local value = any(1, ...)
  if type(value) == "string" then return string_front end
  if real[value] then return nil end
  return raw_getmetatable(value)
end

local function setmetatable(...)
  local t = table_of(...)
  local _, meta = ...
  if select("#", ...) < 2 or meta ~= nil and type(meta) ~= "table" then wrong_argument(2, "nil or table expected") end
  if real[t] then bare_error(READ_ONLY) end
  local own = raw_getmetatable(t)
  if own == false or (type(own) == "table" and raw_get(own, "__metatable") ~= nil) or (own ~= nil and type(own) ~= "table")
  then
    error("cannot change a protected metatable", 0)
  end
  return raw_setmetatable(t, meta)
end

local function loaded(...)
  count_garbage("restart")
  return ...
end

local function loadstring(...)
  local text = text_at(1, ...)
  local _, name = ...
  if name ~= nil then name = text_at(2, ...) end
  if byte(text) == 27 then return nil, "attempt to load bytecode" end
  count_garbage("stop")  -- the parser does not protect all that it makes
  return loaded(raw_loadstring(text, name or text))
end

-- The error of a reader as the handler of errors of Redis leaves it.
local function refused(problem)
  return type(problem) == "string" and { err = "ERR " .. problem } or problem
end

local function load(...)
  local reader, name = ...
  if type(reader) ~= "function" then wrong_type(1, "function", ...) end
  local pieces = {}
  while true do
    local ok, piece = raw_pcall(reader)
    if not ok then
      if ended() then error(nil) end
      return nil, refused(piece)
    end
    if piece == nil or piece == "" then break end
    if type(piece) == "number" then piece = tostring(piece) end
    if type(piece) ~= "string" then return nil, refused("reader function must return a string") end
    pieces[#pieces + 1] = piece
  end
  return loadstring(concat(pieces), name or "=(load)")
end

local kept = { collect = 0, stop = 0, restart = 0, step = false, setpause = 200, setstepmul = 200 }

local function collectgarbage(...)
  local what = (...) == nil and "collect" or text_at(1, ...)
  if what == "count" then return count_garbage("count") end
  local told = kept[what]
  if told == nil then wrong_argument(1, "invalid option '" .. what .. "'") end
  return told
end

local table_library = {
  concat = table.concat, foreach = table.foreach, foreachi = table.foreachi, getn = table.getn,
}

-- Counts the elements that an insertion or removal at a place moves; returns the place.
local function place_in(t, ...)
  local place = int_at(2, ...)
  if place < -1e6 then wrong_argument(2, "the position is far below the table") end
  charge(#t - place)
  return place
end

function table_library.insert(...)
  local t, count = table_of(...), select("#", ...)
  if real[t] then bare_error(READ_ONLY) end
  if count == 2 then return raw_insert(t, (select(2, ...))) end
  if count ~= 3 then error("wrong number of arguments to 'insert'", 0) end
  return raw_insert(t, place_in(t, ...), (select(3, ...)))
end

function table_library.remove(...)
  local t, place = table_of(...), select(2, ...)
  if place ~= nil then return raw_remove(t, place_in(t, ...)) end
  return raw_remove(t)
end

local SORT_ALONE = 5000  -- elements that Lua sorts without a function of the script, so without a look at the clock

function table_library.sort(...)
  local t, before = table_of(...), select(2, ...)
  if before ~= nil and type(before) ~= "function" then wrong_type(2, "function", ...) end
  if before == nil and #t > SORT_ALONE then before = function(a, b) return a < b end end
  local ok, problem = raw_pcall(raw_sort, t, before)
  if not ok and problem == "invalid order function for sorting" then error(problem, 0) end
  return passed(ok, problem)
end

function table_library.maxn(...)
  local t = table_of(...)
  charge(#t)
  return raw_maxn(t)
end

function table_library.setn() error("'setn' is obsolete", 0) end

-- Random numbers: the generator of drand48.

local HALF = 16777216  -- 2 ^ 24
local high, low = 0x1234AB, 0xCD330E  -- where drand48 begins without a seed

local function seed(number)
  number = floor(number) % 4294967296
  high = floor(number / 256) % HALF
  low = (number % 256) * 65536 + 13070
end

local function random_31()
  -- state = state * 0x5DEECE66D + 11 modulo 2 ^ 48, in halves of 24 bits; 0x5DEECE66D is 1502 * 2 ^ 24 + 15525485
  local product = low * 15525485 + 11
  local carry = floor(product / HALF)
  high = (high * 15525485 + low * 1502 + carry) % HALF
  low = product % HALF
  return floor(high * 128 + low / 131072)
end

local math_library = {}
for name, value in raw_next, math do math_library[name] = value end

function math_library.random(...)
  local r, count = (random_31() % 2147483647) / 2147483647, select("#", ...)
  if count == 0 then return r end
  if count > 2 then error("wrong number of arguments", 0) end
  local least = count > 1 and int_at(1, ...) or 1
  local most = int_at(count > 1 and 2 or 1, ...)
  if least > most then wrong_argument(count, "interval is empty") end
  return floor(r * (most - least + 1)) + least
end

function math_library.randomseed(...) seed(int_at(1, ...)) end

local string_library = {}
for name, value in raw_next, string do string_library[name] = value end
string_library.dump = nil

local REPEATED, GUARDED, GUARDED_EACH, RESUMED, WRAPPED = 0, 1, 2, 3, 4  -- places in LUA_GUARDS
local raw_resume, raw_wrapped = guard(RESUMED, false, coroutine.resume), coroutine.wrap(function() end)

local coroutine_library = {
  create = coroutine.create, running = coroutine.running, status = coroutine.status, yield = coroutine.yield,
}

function coroutine_library.resume(...)
  if type((...)) ~= "thread" then wrong_argument(1, "coroutine expected") end
  return caught_raw(raw_resume(...))
end

function coroutine_library.wrap(...)
  local body = ...
  if type(body) ~= "function" or getinfo(body, "S").what == "C" then wrong_argument(1, "Lua function expected") end
  return guard(WRAPPED, raw_create(body), raw_wrapped)
end

local function callable(library)
  for name, value in raw_next, library do
    if type(value) == "function" and getinfo(value, "S").what ~= "C" then library[name] = library_function(value) end
  end
  return library
end

local behind = {
  _VERSION = _VERSION, assert = assert, collectgarbage = collectgarbage, error = error, gcinfo = gcinfo,
  getmetatable = getmetatable, ipairs = ipairs, load = load, loadstring = loadstring, next = next, pairs = pairs,
  pcall = pcall, rawequal = rawequal, rawget = rawget, rawset = rawset, select = select, setmetatable = setmetatable,
  tonumber = tonumber, tostring = tostring, type = type, unpack = unpack, xpcall = xpcall,
  redis = read_only(callable(redis)), string = read_only(string_library), table = read_only(callable(table_library)),
  math = read_only(callable(math_library)), coroutine = read_only(callable(coroutine_library)),
  os = read_only({ clock = os.clock }),
}

-- Puts guards in front of the functions of `string` that could take too long, also for the libraries made behind it.
local function guard_strings(careful)
  for name, function_of in raw_next, careful do
    string[name] = guard(name == "gmatch" and GUARDED_EACH or GUARDED, function_of, string[name])
  end
  string.rep, string.gfind = guard(REPEATED, false, string.rep), string.gmatch
  for name in raw_next, string_library do string_library[name] = string[name] end
  string_library.dump = nil
end

for name, made in raw_next, libraries({
  bits = bits, octets = octets, search = search, null = null, real = real, next = next, unpack = unpack,
  guard_strings = guard_strings, callable = callable, passed = passed, bare_error = bare_error,
  wrong_argument = wrong_argument, text_at = text_at, number_at = number_at, whole_at = whole_at, int_at = int_at,
  low_32 = low_32,
}) do
  behind[name] = read_only(callable(made))
end
callable(behind)
string_front = read_only({ __index = behind.string })
raw_getmetatable("").__index = string_library

raw_setmetatable(behind, {
  __index = function(_, name)
    error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
  end,
})
local world = read_only(behind)
behind._G = world

-- Libraries.

local pending  -- functions of the library that is being loaded: their names, then what was told of each by its name
local NAME_WANTED = "ERR Function names can only contain letters, numbers, or underscores(_) and must be at least one character long"

local function text_of(value)
  return type(value) == "number" and tostring(value) or type(value) == "string" and value or nil
end

local function flags_of(given)
  local found, i = {}, 1
  while given[i] ~= nil do
    local flag = given[i]
    if not (flag == "no-writes" or flag == "allow-oom" or flag == "allow-stale" or flag == "no-cluster"
      or flag == "allow-cross-slot-keys")
    then
      plain_error("ERR unknown flag given")
    end
    found[i] = flag
    i = i + 1
  end
  return found
end

local named = {
  function_name = function(told, value)
    told.name = text_of(value) or plain_error("ERR function_name argument given to redis.register_function must be a string")
  end,
  description = function(told, value)
    told.description = text_of(value) or plain_error("ERR description argument given to redis.register_function must be a string")
  end,
  callback = function(told, value)
    if type(value) ~= "function" then
      plain_error("ERR callback argument given to redis.register_function must be a function")
    end
    told.callback = value
  end,
  flags = function(told, value)
    if type(value) ~= "table" then
      plain_error("ERR flags argument to redis.register_function must be a table representing function flags")
    end
    told.flags = flags_of(value)
  end,
}

local function register_function(...)
  if not pending then
    plain_error("ERR redis.register_function can only be called on FUNCTION LOAD command")
  end
  local count = select("#", ...)
  if count < 1 or count > 2 then plain_error("ERR wrong number of arguments to redis.register_function") end
  local first, second = ...
  local told = { flags = {} }
  if count == 1 then
    if type(first) ~= "table" then
      plain_error("ERR calling redis.register_function with a single argument is only applicable to Lua table (representing named arguments).")
    end
    for name, value in raw_next, first do
      local take = raw_get(named, name)
      if not take then plain_error("ERR unknown argument given to redis.register_function") end
      take(told, value)
    end
    if not told.name then plain_error("ERR redis.register_function must get a function name argument") end
    if not told.callback then plain_error("ERR redis.register_function must get a callback argument") end
  else
    told.name = text_of(first) or plain_error("ERR first argument to redis.register_function must be a string")
    if type(second) ~= "function" then
      plain_error("ERR second argument to redis.register_function must be a function")
    end
    told.callback = second
  end
  if not told.name:find("^[%w_]+$") then plain_error(NAME_WANTED) end
  if #told.name > 512 then plain_error("ERR the name of a function has at most 512 letters") end
  local low = told.name:lower()
  if pending[low] then plain_error("ERR Function already exists in the library") end
  pending[#pending + 1], pending[low] = told.name, told
end

local load_redis = { register_function = register_function, log = redis.log }
for name, value in raw_next, redis do
  if name:find("^LOG_") or name:find("^REDIS_VERSION") then load_redis[name] = value end
end
callable(load_redis)
local refusing = raw_getmetatable(behind)
raw_setmetatable(load_redis, refusing)
local load_world = raw_setmetatable({ redis = read_only(load_redis) }, refusing)

-- Scripts and functions: an entry has the function, its title (a SHA1 or a name), bits, and its seat in the cache.

local OWN = "@synap"
local by_text, by_sha, by_name = {}, {}, {}
local texts = {}  -- by SHA1

local function explain(problem)
  if problem == nil and ended() then return nil end
  if type(problem) ~= "table" then problem = { err = "ERR " .. tostring(problem) } end
  local level = 2
  local where = getinfo(level, "Sl")
  while where and (where.what == "C" or where.source == OWN) do
    level = level + 1
    where = getinfo(level, "Sl")
  end
  return { err = raw_get(problem, "err"), source = where and where.source, line = where and where.currentline }
end

-- Runs the script of an entry; returns (true, value) or (false, the text of the error or nil).
local function run(entry, keys, arguments)
  local body, ok, value = entry[1]
  if entry.library then
    ok, value = raw_xpcall(function() return body(keys, arguments) end, explain)
  else
    raw_set(behind, "KEYS", keys)
    raw_set(behind, "ARGV", arguments)
    ok, value = raw_xpcall(body, explain)
    raw_set(behind, "KEYS", nil)
    raw_set(behind, "ARGV", nil)
  end
  if ok then return true, value end
  if value == nil or type(value) ~= "table" then return false, nil end
  local text = (text_of(value.err) or "ERR unknown error"):match("^%Z*")
  text = text .. " script: " .. entry[2]
  if value.source and value.line then text = text .. ", on " .. value.source .. ":" .. value.line .. "." end
  return false, text
end

local loaded_last  -- the functions of the library that was loaded last

-- Runs the text of a library; returns (true, a table with name, description or false, and flags in one text for each
-- function, their number), or (false, the text of the error or nil).
local function load_library(body)
  local front = {}
  local meta = { __index = load_world, __newindex = refuse_to_store, __metatable = false }
  real[front] = load_world
  set_environment(body, raw_setmetatable(front, meta))
  pending = {}
  local ok, problem = raw_xpcall(body, explain)
  meta.__index = behind
  real[front] = behind
  loaded_last, pending = pending, nil
  if not ok then
    local text = type(problem) == "table" and problem.err
    return false, type(text) == "string" and text or nil
  end
  local told = {}
  for i, name in ipairs(loaded_last) do
    local one = loaded_last[name:lower()]
    told[3 * i - 2], told[3 * i - 1], told[3 * i] = name, one.description or false, concat(one.flags, " ")
  end
  return true, told, #loaded_last
end

local READS_ONLY, MAY_WRITE, ABOVE_MAX = 2, 16, 32  -- SCRIPT_* of store/memory/layout.py

local function remove_library(library)
  for name, entry in raw_next, by_name do
    if entry.library == library then by_name[name] = nil end
  end
end

-- Makes the functions of the library that was loaded last those of this name.
local function add_library(library)
  remove_library(library)
  for _, name in ipairs(loaded_last) do
    local one = loaded_last[name:lower()]
    local writes, above = MAY_WRITE, 0
    for _, flag in ipairs(one.flags) do
      if flag == "no-writes" then writes = READS_ONLY end
      if flag == "allow-oom" then above = ABOVE_MAX end
    end
    by_name[name:lower()] = { one.callback, name, writes + above, 0, library = library }
  end
  loaded_last = nil
end

local function keep(body, text, sha, flags, seat)
  local entry = { body, sha, flags, seat }
  by_text[text], by_sha[sha], texts[sha] = entry, entry, text
end

local function drop(sha)
  by_text[texts[sha]], by_sha[sha], texts[sha] = nil, nil, nil
end

local function move(sha, seat) by_sha[sha][4] = seat end

return world, run, keep, drop, move, load_library, add_library, remove_library, by_text, by_sha, by_name
