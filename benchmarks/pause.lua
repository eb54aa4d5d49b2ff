-- Callers pause for one or two milliseconds after each answer, which leaves the gateway time.
function delay()
  return math.random(1, 2)
end
