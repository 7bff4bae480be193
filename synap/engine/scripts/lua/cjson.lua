-- The library `cjson`: JSON as lua-cjson 2.1 reads and writes it.

local tools = ...
local null, real, next = tools.null, tools.real, tools.next
local type, tostring, tonumber, error, select, floor, huge = type, tostring, tonumber, error, select, math.floor, math.huge
local byte, char, find, format, gsub, sub, concat = string.byte, string.char, string.find, string.format, string.gsub,
  string.sub, table.concat

local settings = {
  sparse_convert = false, sparse_ratio = 2, sparse_safe = 10, encode_depth = 1000, decode_depth = 1000, precision = 14,
  keep_buffer = true, encode_invalid = false, decode_invalid = true,
}
local number_form = "%.14g"

local escapes = { ['"'] = '\\"', ["\\"] = "\\\\", ["/"] = "\\/", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n",
  ["\r"] = "\\r", ["\t"] = "\\t", ["\127"] = "\\u007f" }
for code = 0, 31 do
  local c = char(code)
  escapes[c] = escapes[c] or format("\\u%04x", code)
end

local function write_text(out, text)
  if find(text, '[%z\1-\31"\\/\127]') then text = gsub(text, '[%z\1-\31"\\/\127]', escapes) end
  out[#out + 1] = '"' .. text .. '"'
end

local function write_number(out, value)
  if value ~= value or value == huge or value == -huge then
    if settings.encode_invalid == false then error("Cannot serialise number: must not be NaN or Inf", 0) end
    out[#out + 1] = settings.encode_invalid == "null" and "null" or value ~= value and "nan"
      or value > 0 and "inf" or "-inf"
    return
  end
  out[#out + 1] = format(number_form, value)
end

-- The length of a table that is an array, or nil. A sparse array with too many gaps is an error, or an object.
local function array_length(value)
  local most, items = 0, 0
  for key in next, value do
    if type(key) ~= "number" or key < 1 or key ~= floor(key) then return nil end
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

local function write_table(out, value, depth)
  value = real[value] or value
  if depth > settings.encode_depth then
    error("Cannot serialise, excessive nesting (" .. depth .. ")", 0)
  end
  local length = array_length(value)
  if length and length > 0 then
    out[#out + 1] = "["
    for i = 1, length do
      if i > 1 then out[#out + 1] = "," end
      write(out, value[i], depth)
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
      write_number(out, key)
      out[#out + 1] = '"'
    elseif type(key) == "string" then
      write_text(out, key)
    else
      error("Cannot serialise " .. type(key) .. ": table key must be a number or string", 0)
    end
    out[#out + 1] = ":"
    write(out, member, depth)
  end
  out[#out + 1] = "}"
end

function write(out, value, depth)
  local kind = type(value)
  if kind == "string" then
    write_text(out, value)
  elseif kind == "number" then
    write_number(out, value)
  elseif kind == "boolean" then
    out[#out + 1] = value and "true" or "false"
  elseif kind == "table" then
    write_table(out, value, depth + 1)
  elseif value == nil or value == null then
    out[#out + 1] = "null"
  else
    error("Cannot serialise " .. kind .. ": type not supported", 0)
  end
end

local cjson = { null = null, _NAME = "cjson", _VERSION = "2.1.0" }

function cjson.encode(...)
  local count = select("#", ...)
  if count ~= 1 then error("bad argument #1 to 'encode' (expected 1 argument)", 0) end
  local out = {}
  write(out, (...), 0)
  return concat(out)
end

-- Decoding.

local unescapes = { ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

local function fail(wanted, at, found)
  error("Expected " .. wanted .. " but found " .. found .. " at character " .. at, 0)
end

local function token_at(text, at)
  local c = sub(text, at, at)
  if c == "" then return "T_END" end
  if c == "{" then return "T_OBJ_BEGIN" elseif c == "}" then return "T_OBJ_END" end
  if c == "[" then return "T_ARR_BEGIN" elseif c == "]" then return "T_ARR_END" end
  if c == '"' then return "T_STRING" elseif c == ":" then return "T_COLON" elseif c == "," then return "T_COMMA" end
  if sub(text, at, at + 3) == "true" or sub(text, at, at + 4) == "false" then return "T_BOOLEAN" end
  if sub(text, at, at + 3) == "null" then return "T_NULL" end
  if find(text, "^[-+]?%d", at) then return "T_NUMBER" end
  return "invalid token"
end

local function utf8(code)
  if code < 128 then return char(code) end
  if code < 2048 then return char(192 + floor(code / 64), 128 + code % 64) end
  if code < 65536 then return char(224 + floor(code / 4096), 128 + floor(code / 64) % 64, 128 + code % 64) end
  return char(240 + floor(code / 262144), 128 + floor(code / 4096) % 64, 128 + floor(code / 64) % 64, 128 + code % 64)
end

local function read_text(text, at)
  local _, last, plain = find(text, '^"([^"\\%z\1-\31]*)"', at)
  if last then return plain, last + 1 end
  local pieces, from, begin = {}, at + 1, at
  while true do
    local stop = find(text, '["\\%z\1-\31]', from)
    if not stop then fail("value", #text + 1, "unexpected end of string") end
    pieces[#pieces + 1] = sub(text, from, stop - 1)
    local c = sub(text, stop, stop)
    if c == '"' then return concat(pieces), stop + 1 end
    if c ~= "\\" then fail("value", stop, "invalid token") end
    local escape = sub(text, stop + 1, stop + 1)
    if escape == "u" then
      local digits = find(text, "^%x%x%x%x", stop + 2) and tonumber(sub(text, stop + 2, stop + 5), 16)
      if not digits then fail("value", stop, "invalid unicode escape code") end
      from = stop + 6
      if digits >= 0xD800 and digits < 0xDC00 then
        local lower = find(text, "^\\u%x%x%x%x", from) and tonumber(sub(text, from + 2, from + 5), 16)
        if not lower or lower < 0xDC00 or lower > 0xDFFF then
          fail("value", stop, "invalid unicode escape code")
        end
        digits = 65536 + (digits - 0xD800) * 1024 + lower - 0xDC00
        from = from + 6
      elseif digits >= 0xDC00 and digits < 0xE000 then
        fail("value", stop, "invalid unicode escape code")
      end
      pieces[#pieces + 1] = utf8(digits)
    elseif unescapes[escape] then
      pieces[#pieces + 1] = unescapes[escape]
      from = stop + 2
    else
      fail("value", stop, "invalid escape code")
    end
  end
end

local function skip(text, at)
  return find(text, "[^ \t\r\n]", at) or #text + 1
end

local read

local function deeper(depth, at)
  if depth > settings.decode_depth then
    error("Found too many nested data structures (" .. depth .. ") at character " .. at, 0)
  end
end

local function read_object(text, at, depth)
  deeper(depth, at)
  local made = {}
  at = skip(text, at + 1)
  if sub(text, at, at) == "}" then return made, at + 1 end
  while true do
    if sub(text, at, at) ~= '"' then fail("object key string", at, token_at(text, at)) end
    local key
    key, at = read_text(text, at)
    at = skip(text, at)
    if sub(text, at, at) ~= ":" then fail("colon", at, token_at(text, at)) end
    made[key], at = read(text, skip(text, at + 1), depth)
    at = skip(text, at)
    local c = sub(text, at, at)
    if c == "}" then return made, at + 1 end
    if c ~= "," then fail("comma or object end", at, token_at(text, at)) end
    at = skip(text, at + 1)
  end
end

local function read_array(text, at, depth)
  deeper(depth, at)
  local made, count = {}, 0
  at = skip(text, at + 1)
  if sub(text, at, at) == "]" then return made, at + 1 end
  while true do
    count = count + 1
    made[count], at = read(text, at, depth)
    at = skip(text, at)
    local c = sub(text, at, at)
    if c == "]" then return made, at + 1 end
    if c ~= "," then fail("comma or array end", at, token_at(text, at)) end
    at = skip(text, at + 1)
  end
end

local words = { t = { "true", true }, f = { "false", false }, n = { "null", null } }

function read(text, at, depth)
  local c = sub(text, at, at)
  if c == '"' then return read_text(text, at) end
  if c == "{" then return read_object(text, at, depth + 1) end
  if c == "[" then return read_array(text, at, depth + 1) end
  local word = words[c]
  if word and sub(text, at, at + #word[1] - 1) == word[1] then return word[2], at + #word[1] end
  local _, last = find(text, "^[-+]?0[xX]%x+", at)
  if not last then
    _, last = find(text, "^[-+]?%d+%.?%d*", at)
    local _, exponent = find(text, "^[eE][-+]?%d+", last and last + 1 or at)
    last = last and exponent or last
  end
  local value = last and tonumber((sub(text, at, last):gsub("^%+", "")))
  if value then return value, last + 1 end
  local lower = sub(text, at, at + 8):lower()
  if settings.decode_invalid then
    local sign = sub(lower, 1, 1) == "-" and -1 or 1
    local bare = sign < 0 and sub(lower, 2) or lower
    if sub(bare, 1, 8) == "infinity" then return sign * huge, at + 8 + (sign < 0 and 1 or 0) end
    if sub(bare, 1, 3) == "inf" then return sign * huge, at + 3 + (sign < 0 and 1 or 0) end
    if sub(bare, 1, 3) == "nan" then return -(0 / 0), at + 3 + (sign < 0 and 1 or 0) end
  end
  fail("value", at, token_at(text, at))
end

function cjson.decode(...)
  local text = ...
  if select("#", ...) ~= 1 then error("bad argument #1 to 'decode' (expected 1 argument)", 0) end
  if type(text) == "number" then text = tostring(text) end
  if type(text) ~= "string" then
    error("bad argument #1 to 'decode' (string expected, got " .. type(text) .. ")", 0)
  end
  if #text >= 2 and (byte(text, 1) == 0 or byte(text, 2) == 0) then
    error("JSON parser does not support UTF-16 or UTF-32", 0)
  end
  local value, at = read(text, skip(text, 1), 0)
  at = skip(text, at)
  if at <= #text then fail("the end", at, token_at(text, at)) end
  return value
end

local function whole(name, value, least, most)
  if type(value) ~= "number" or value ~= floor(value) or value < least or value > most then
    error("bad argument #1 to '" .. name .. "' (expected integer between " .. least .. " and " .. most .. ")", 0)
  end
  return value
end

function cjson.encode_sparse_array(convert, ratio, safe)
  if convert ~= nil then settings.sparse_convert = convert and true or false end
  if ratio ~= nil then settings.sparse_ratio = whole("encode_sparse_array", ratio, 0, 2147483647) end
  if safe ~= nil then settings.sparse_safe = whole("encode_sparse_array", safe, 0, 2147483647) end
  return settings.sparse_convert, settings.sparse_ratio, settings.sparse_safe
end

function cjson.encode_max_depth(depth)
  if depth ~= nil then settings.encode_depth = whole("encode_max_depth", depth, 1, 2147483647) end
  return settings.encode_depth
end

function cjson.decode_max_depth(depth)
  if depth ~= nil then settings.decode_depth = whole("decode_max_depth", depth, 1, 2147483647) end
  return settings.decode_depth
end

function cjson.encode_number_precision(digits)
  if digits ~= nil then
    settings.precision = whole("encode_number_precision", digits, 1, 14)
    number_form = "%." .. digits .. "g"
  end
  return settings.precision
end

function cjson.encode_keep_buffer(keep)
  if keep ~= nil then settings.keep_buffer = keep and true or false end
  return settings.keep_buffer
end

local function invalid(name, field)
  cjson[name] = function(wanted)
    if wanted ~= nil then
      if wanted == "on" then wanted = true elseif wanted == "off" then wanted = false end
      if wanted ~= true and wanted ~= false and wanted ~= "null" then
        error("bad argument #1 to '" .. name .. "' (invalid option '" .. tostring(wanted) .. "')", 0)
      end
      settings[field] = wanted
    end
    return settings[field]
  end
end

invalid("encode_invalid_numbers", "encode_invalid")
invalid("decode_invalid_numbers", "decode_invalid")

function cjson.new() error("cjson.new() is not available to scripts", 0) end

return cjson
