-- Labels of every enum type, in sort order.
SELECT enumtypid, array_agg(enumlabel ORDER BY enumsortorder)
FROM pg_enum
GROUP BY enumtypid
