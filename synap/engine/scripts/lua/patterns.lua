-- The functions of `string` that take patterns, for calls that could take too long: they use `tools.search`, which can be
-- interrupted (store/scripts/patterns.py). Their arguments have been looked at: text and pattern are texts or numbers.

local tools = ...
local search, passed, wrong_argument, whole_at = tools.search, tools.passed, tools.wrong_argument, tools.whole_at
local int_at = tools.int_at
local error, type, tostring, select, unpack, protected_call = error, type, tostring, select, tools.unpack, pcall
local sub, byte, find_plain, concat = string.sub, string.byte, string.find, table.concat

local SEARCH, HERE, LITERAL_CARET, PLAIN = 0, 1, 2, 3
local NO_PLACE, IN_ITERATOR = 0, 3  -- levels of errors; the first gets its place from `call_own_value`
local FAULTS = {
  "malformed pattern (ends with '%')", "malformed pattern (missing ']')", "invalid pattern capture",
  "invalid capture index", "unbalanced pattern", "missing '[' after '%f' in pattern", "too many captures",
  "the pattern is too large",
}
local UNFINISHED = "unfinished capture"

-- Returns what `search` returns, as a table with its length in `n`; nil if there is no match. A fault is an error with
-- the place of this level.
local function found(level, ...)
  local first = ...
  if first == nil then return nil end
  if first < 0 then error(FAULTS[-first], level) end
  return { n = select("#", ...), ... }
end

-- Returns the captures behind the places of a match; one that is not closed is false.
local function captures(level, told)
  for i = 3, told.n do
    if told[i] == false then error(UNFINISHED, level) end
  end
  return unpack(told, 3, told.n)
end

-- Where to begin, from 0, by the third argument.
local function begin(size, ...)
  if select(3, ...) == nil then return 0 end
  local place = whole_at(3, ...)
  if place < 0 then place = place + size + 1 end
  if place < 1 then return 0 end
  return place - 1 > size and size or place - 1
end

local function find(...)
  local s, p, _, plain = ...
  s, p = tostring(s), tostring(p)
  local at = begin(#s, ...)
  local is_plain = plain or not find_plain(p, "^%Z-[%^%$%*%+%?%.%(%[%%%-]")
  local told = found(NO_PLACE, search(s, p, at, is_plain and PLAIN or SEARCH))
  if told then return told[1], told[2], captures(NO_PLACE, told) end
  return nil
end

local function match(...)
  local s, p = ...
  s, p = tostring(s), tostring(p)
  local told = found(NO_PLACE, search(s, p, begin(#s, ...), SEARCH))
  if not told then return nil end
  if told.n == 2 then return sub(s, told[1], told[2]) end
  return captures(NO_PLACE, told)
end

local function gmatch(s, p)
  s, p = tostring(s), tostring(p)
  local at = 0
  return function()
    if at > #s then return nil end
    local told = found(IN_ITERATOR, search(s, p, at, LITERAL_CARET))
    if not told then
      at = #s + 1
      return nil
    end
    at = told[2] < told[1] and told[1] or told[2]
    if told.n == 2 then return sub(s, told[1], told[2]) end
    return captures(IN_ITERATOR, told)
  end
end

local function field_of(t, key) return t[key] end

-- The text that replaces a match: a text with `%0` to `%9`, a table, or a function.
local function replacement(s, told, with)
  local whole = sub(s, told[1], told[2])
  local kind, value = type(with)
  if kind == "function" then
    if told.n == 2 then
      value = passed(protected_call(with, whole))
    else
      value = passed(protected_call(with, captures(NO_PLACE, told)))
    end
  elseif kind == "table" then
    if told[3] == false then error(UNFINISHED, 0) end
    value = passed(protected_call(field_of, with, told.n == 2 and whole or told[3]))
  else
    local pieces, i = {}, 1
    while i <= #with do
      local c = sub(with, i, i)
      if c == "%" then
        i = i + 1
        local digit = byte(with, i)
        if digit and digit >= 48 and digit <= 57 then
          local number = digit - 48
          if number == 0 or (number == 1 and told.n == 2) then
            c = whole
          else
            c = told[number + 2]
            if c == nil then error("invalid capture index", 0) end
            if c == false then error(UNFINISHED, 0) end
          end
        else
          c = i > #with and "\0" or sub(with, i, i)  -- as Lua's own
        end
      end
      pieces[#pieces + 1] = c
      i = i + 1
    end
    return concat(pieces)
  end
  if not value then return whole end
  if type(value) ~= "string" and type(value) ~= "number" then
    error("invalid replacement value (a " .. type(value) .. ")", 0)
  end
  return value
end

local function gsub(...)
  local s, p, with, most = ...
  s, p = tostring(s), tostring(p)
  local kind = type(with)
  if kind == "number" then
    with = tostring(with)
  elseif kind ~= "string" and kind ~= "function" and kind ~= "table" then
    wrong_argument(3, "string/function/table expected")
  end
  local limit = most == nil and #s + 1 or int_at(4, ...)
  local pieces, at, count, anchored = {}, 0, 0, byte(p) == 94
  while count < limit do
    local told = found(NO_PLACE, search(s, p, at, anchored and HERE or SEARCH))
    if not told then break end
    pieces[#pieces + 1] = sub(s, at + 1, told[1] - 1)
    count = count + 1
    pieces[#pieces + 1] = replacement(s, told, with)
    if told[2] >= told[1] then
      at = told[2]
    else  -- an empty match: the next byte stays
      at = told[1] - 1
      if at >= #s then break end
      pieces[#pieces + 1] = sub(s, at + 1, at + 1)
      at = at + 1
    end
    if anchored then break end
  end
  pieces[#pieces + 1] = sub(s, at + 1)
  return concat(pieces), count
end

return { find = find, match = match, gmatch = gmatch, gsub = gsub }
