-- The library `cjson`: JSON as lua-cjson 2.1 reads and writes it.

local tools = ...
local null, real, next, wrong_argument, text_at = tools.null, tools.real, tools.next, tools.wrong_argument, tools.text_at
local int_at, raw_get = tools.int_at, rawget
local type, tonumber, error, select, floor, huge = type, tonumber, error, select, math.floor, math.huge
local byte, char, find, format, gsub, lower, match, sub, concat = string.byte, string.char, string.find, string.format,
  string.gsub, string.lower, string.match, string.sub, table.concat
local NAN, INT_MAX = -(0 / 0), 2147483647

local escapes = { ['"'] = '\\"', ["\\"] = "\\\\", ["/"] = "\\/", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n",
  ["\r"] = "\\r", ["\t"] = "\\t", ["\127"] = "\\u007f" }
for code = 0, 31 do
  local c = char(code)
  escapes[c] = escapes[c] or format("\\u%04x", code)
end

local number_forms = {}
for digits = 1, 14 do number_forms[digits] = "%." .. digits .. "g" end

local function write_text(out, text)
  if find(text, '[%z\1-\31"\\/\127]') then text = gsub(text, '[%z\1-\31"\\/\127]', escapes) end
  out[#out + 1] = '"' .. text .. '"'
end

local function write_number(settings, out, value)
  if value ~= value or value == huge or value == -huge then
    if settings.encode_invalid == false then error("Cannot serialise number: must not be NaN or Inf", 0) end
    out[#out + 1] = settings.encode_invalid == "null" and "null" or value ~= value and "nan"
      or value > 0 and "inf" or "-inf"
    return
  end
  out[#out + 1] = format(number_forms[settings.precision], value)
end

-- The length of a table that is an array, or nil. A sparse array with too many gaps is an error, or an object.
local function array_length(settings, value)
  local most, items = 0, 0
  for key in next, value do
    if type(key) ~= "number" or key < 1 or key > INT_MAX or key ~= floor(key) then return nil end
    if key > most then most = key end
    items = items + 1
  end
  if settings.sparse_ratio > 0 and most > items * settings.sparse_ratio and most > settings.sparse_safe then
    if not settings.sparse_convert then error("Cannot serialise table: excessively sparse array", 0) end
    return nil
  end
  return most
end

local write

local function write_table(settings, out, value, depth)
  value = real[value] or value
  if depth > settings.encode_depth then
    error("Cannot serialise, excessive nesting (" .. depth .. ")", 0)
  end
  local length = array_length(settings, value)
  if length and length > 0 then
    out[#out + 1] = "["
    for i = 1, length do
      if i > 1 then out[#out + 1] = "," end
      write(settings, out, raw_get(value, i), depth)
    end
    out[#out + 1] = "]"
    return
  end
  out[#out + 1] = "{"
  local first = true
  for key, member in next, value do
    if not first then out[#out + 1] = "," end
    first = false
    if type(key) == "number" then
      out[#out + 1] = '"'
      write_number(settings, out, key)
      out[#out + 1] = '"'
    elseif type(key) == "string" then
      write_text(out, key)
    else
      error("Cannot serialise " .. type(key) .. ": table key must be a number or string", 0)
    end
    out[#out + 1] = ":"
    write(settings, out, member, depth)
  end
  out[#out + 1] = "}"
end

function write(settings, out, value, depth)
  local kind = type(value)
  if kind == "string" then
    write_text(out, value)
  elseif kind == "number" then
    write_number(settings, out, value)
  elseif kind == "boolean" then
    out[#out + 1] = value and "true" or "false"
  elseif kind == "table" then
    write_table(settings, out, value, depth + 1)
  elseif value == nil or value == null then
    out[#out + 1] = "null"
  else
    error("Cannot serialise " .. kind .. ": type not supported", 0)
  end
end

-- Decoding.

local unescapes = { ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

local function fail(wanted, at, found)
  error("Expected " .. wanted .. " but found " .. found .. " at character " .. at, 0)
end

-- True for what strtod takes and JSON does not: hexadecimal digits, zeros in front, names.
local function is_invalid_number(text, at)
  if find(text, "^[-+]?0[xX%d]", at) then return true end
  local name = match(text, "^[-+]?(%a%a%a)", at)
  name = name and lower(name)
  return name == "inf" or name == "nan"
end

-- Whether a number begins here; whatever is wrong with it, it is no other token.
local function is_number(settings, text, at)
  return find(text, "^[-%d]", at) or settings.decode_invalid and (is_invalid_number(text, at) or find(text, "^%+", at))
end

-- The number that begins here, as strtod reads it, and the place behind it; nil if it is none.
local function number_at(settings, text, at)
  if not settings.decode_invalid and is_invalid_number(text, at) then return nil end
  local sign, first = match(text, "^([-+]?)()", at)
  local _, last = find(text, "^0[xX]%x+%.?%x*", first)
  local hexadecimal = last or find(text, "^0[xX]%.%x+", first)
  if hexadecimal then
    last = last or select(2, find(text, "^0[xX]%.%x+", first))
  else
    last = select(2, find(text, "^%d+%.?%d*", first)) or select(2, find(text, "^%.%d+", first))
  end
  local value
  if last then
    last = select(2, find(text, hexadecimal and "^[pP][-+]?%d+" or "^[eE][-+]?%d+", last + 1)) or last
    value = tonumber(sub(text, first, last))
  else
    local name = lower(sub(text, first, first + 7))
    local size = name == "infinity" and 8 or 3
    last = first + size - 1
    if sub(name, 1, 3) == "inf" then value = huge elseif sub(name, 1, 3) == "nan" then value = NAN else return nil end
  end
  return sign == "-" and -value or value, last + 1
end

local function token_at(settings, text, at)
  local c = sub(text, at, at)
  if c == "" or c == "\0" then return "T_END" end
  if c == "{" then return "T_OBJ_BEGIN" elseif c == "}" then return "T_OBJ_END" end
  if c == "[" then return "T_ARR_BEGIN" elseif c == "]" then return "T_ARR_END" end
  if c == '"' then return "T_STRING" elseif c == ":" then return "T_COLON" elseif c == "," then return "T_COMMA" end
  if sub(text, at, at + 3) == "true" or sub(text, at, at + 4) == "false" then return "T_BOOLEAN" end
  if sub(text, at, at + 3) == "null" then return "T_NULL" end
  if is_number(settings, text, at) then return number_at(settings, text, at) and "T_NUMBER" or "invalid number" end
  return "invalid token"
end

local function utf8(code)
  if code < 128 then return char(code) end
  if code < 2048 then return char(192 + floor(code / 64), 128 + code % 64) end
  if code < 65536 then return char(224 + floor(code / 4096), 128 + floor(code / 64) % 64, 128 + code % 64) end
  return char(240 + floor(code / 262144), 128 + floor(code / 4096) % 64, 128 + floor(code / 64) % 64, 128 + code % 64)
end

-- The text that begins here, and the place behind it; what is wrong with it is found where `wanted` is.
local function read_text(text, at, wanted)
  local _, last, plain = find(text, '^"([^"\\%z]*)"', at)
  if last then return plain, last + 1 end
  local pieces, from = {}, at + 1
  while true do
    local stop = find(text, '["\\%z]', from) or #text + 1
    pieces[#pieces + 1] = sub(text, from, stop - 1)
    local c = sub(text, stop, stop)
    if c == '"' then return concat(pieces), stop + 1 end
    if c ~= "\\" then fail(wanted, stop, "unexpected end of string") end
    local escape = sub(text, stop + 1, stop + 1)
    if escape == "u" then
      local digits = find(text, "^%x%x%x%x", stop + 2) and tonumber(sub(text, stop + 2, stop + 5), 16)
      if not digits then fail(wanted, stop, "invalid unicode escape code") end
      from = stop + 6
      if digits >= 0xD800 and digits < 0xDC00 then
        local lower = find(text, "^\\u%x%x%x%x", from) and tonumber(sub(text, from + 2, from + 5), 16)
        if not lower or lower < 0xDC00 or lower > 0xDFFF then
          fail(wanted, stop, "invalid unicode escape code")
        end
        digits = 65536 + (digits - 0xD800) * 1024 + lower - 0xDC00
        from = from + 6
      elseif digits >= 0xDC00 and digits < 0xE000 then
        fail(wanted, stop, "invalid unicode escape code")
      end
      pieces[#pieces + 1] = utf8(digits)
    elseif unescapes[escape] then
      pieces[#pieces + 1] = unescapes[escape]
      from = stop + 2
    else
      fail(wanted, stop, "invalid escape code")
    end
  end
end

-- Refuses the token that begins here.
local function unexpected(settings, wanted, text, at)
  if sub(text, at, at) == '"' then read_text(text, at, wanted) end
  fail(wanted, at, token_at(settings, text, at))
end

local function skip(text, at)
  return find(text, "[^ \t\r\n]", at) or #text + 1
end

local read

local function deeper(settings, depth, at)
  if depth > settings.decode_depth then
    error("Found too many nested data structures (" .. depth .. ") at character " .. at, 0)
  end
end

local function read_object(settings, text, at, depth)
  deeper(settings, depth, at)
  local made = {}
  at = skip(text, at + 1)
  if sub(text, at, at) == "}" then return made, at + 1 end
  while true do
    if sub(text, at, at) ~= '"' then unexpected(settings, "object key string", text, at) end
    local key
    key, at = read_text(text, at, "object key string")
    at = skip(text, at)
    if sub(text, at, at) ~= ":" then unexpected(settings, "colon", text, at) end
    made[key], at = read(settings, text, skip(text, at + 1), depth)
    at = skip(text, at)
    local c = sub(text, at, at)
    if c == "}" then return made, at + 1 end
    if c ~= "," then unexpected(settings, "comma or object end", text, at) end
    at = skip(text, at + 1)
  end
end

local function read_array(settings, text, at, depth)
  deeper(settings, depth, at)
  local made, count = {}, 0
  at = skip(text, at + 1)
  if sub(text, at, at) == "]" then return made, at + 1 end
  while true do
    count = count + 1
    made[count], at = read(settings, text, at, depth)
    at = skip(text, at)
    local c = sub(text, at, at)
    if c == "]" then return made, at + 1 end
    if c ~= "," then unexpected(settings, "comma or array end", text, at) end
    at = skip(text, at + 1)
  end
end

local words = { t = { "true", true }, f = { "false", false }, n = { "null", null } }

function read(settings, text, at, depth)
  local c = sub(text, at, at)
  if c == '"' then return read_text(text, at, "value") end
  if c == "{" then return read_object(settings, text, at, depth + 1) end
  if c == "[" then return read_array(settings, text, at, depth + 1) end
  local word = words[c]
  if word and sub(text, at, at + #word[1] - 1) == word[1] then return word[2], at + #word[1] end
  if is_number(settings, text, at) then
    local value, behind = number_at(settings, text, at)
    if value then return value, behind end
  end
  unexpected(settings, "value", text, at)
end

-- The functions that read or change a setting. The first argument is wrong also if another one is.

local function limit_arguments(most, ...)
  if select("#", ...) > most then wrong_argument(most + 1, "found too many arguments") end
end

local function whole(place, least, most, ...)
  local value = int_at(place, ...)
  if value < least or value > most then
    wrong_argument(1, format("expected integer between %d and %d", least, most))
  end
  return value
end

local function truth(place, ...)
  local value = select(place, ...)
  if type(value) == "boolean" then return value end
  local text = text_at(place, ...)
  if text ~= "on" and text ~= "off" then wrong_argument(place, "invalid option '" .. text .. "'") end
  return text == "on"
end

-- Returns a new library with settings of its own.
local function new()
  local settings = {
    sparse_convert = false, sparse_ratio = 2, sparse_safe = 10, encode_depth = 1000, decode_depth = 1000,
    precision = 14, keep_buffer = true, encode_invalid = false, decode_invalid = true,
  }
  local cjson = { null = null, _NAME = "cjson", _VERSION = "2.1.0" }

  function cjson.encode(...)
    if select("#", ...) ~= 1 then wrong_argument(1, "expected 1 argument") end
    local out = {}
    write(settings, out, (...), 0)
    return concat(out)
  end

  function cjson.decode(...)
    if select("#", ...) ~= 1 then wrong_argument(1, "expected 1 argument") end
    local text = text_at(1, ...)
    if #text >= 2 and (byte(text, 1) == 0 or byte(text, 2) == 0) then
      error("JSON parser does not support UTF-16 or UTF-32", 0)
    end
    local value, at = read(settings, text, skip(text, 1), 0)
    at = skip(text, at)
    if at <= #text and byte(text, at) ~= 0 then unexpected(settings, "the end", text, at) end
    return value
  end

  -- Sets a setting to what `check` makes of the first argument, if it is there.
  local function setting(name, field, check, ...)
    local least, most = ...
    cjson[name] = function(...)
      limit_arguments(1, ...)
      if (...) ~= nil then settings[field] = check(1, least, most, ...) end
      return settings[field]
    end
  end
  setting("encode_max_depth", "encode_depth", whole, 1, INT_MAX)
  setting("decode_max_depth", "decode_depth", whole, 1, INT_MAX)
  setting("encode_number_precision", "precision", whole, 1, 14)
  setting("encode_keep_buffer", "keep_buffer", function(place, _, _, ...) return truth(place, ...) end)
  setting("decode_invalid_numbers", "decode_invalid", function(place, _, _, ...) return truth(place, ...) end)
  setting("encode_invalid_numbers", "encode_invalid", function(place, _, _, ...)
    return (...) == "null" and "null" or truth(place, ...)
  end)

  function cjson.encode_sparse_array(...)
    limit_arguments(3, ...)
    local convert, ratio, safe = ...
    if convert ~= nil then settings.sparse_convert = truth(1, ...) end
    if ratio ~= nil then settings.sparse_ratio = whole(2, 0, INT_MAX, ...) end
    if safe ~= nil then settings.sparse_safe = whole(3, 0, INT_MAX, ...) end
    return settings.sparse_convert, settings.sparse_ratio, settings.sparse_safe
  end

  function cjson.new() return tools.callable(new()) end

  return cjson
end

return new()
